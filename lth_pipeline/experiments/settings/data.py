"""`data:` what an experiment learns from."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lth_pipeline.experiments.errors import MISSING
from lth_pipeline.experiments.settings.base import Count, FieldFault, Settings, setting


class AugmentationSettings(Settings):
    flip: bool = setting(
        False,
        description="mirror each training image left to right, one time in two",
        source="He et al. 2015, §4.2; Frankle & Carbin 2019, §4",
    )
    crop: Count | None = setting(
        None,
        description="pad each training image by so many black pixels and cut a window of its size at random",
        source="He et al. 2015, §4.2; Frankle & Carbin 2019, §4: 4",
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> AugmentationSettings:
        if not self.flip and self.crop is None:
            expected = "changes nothing; leave augmentation out, or give flip: true or crop: 4"
            raise FieldFault("flip", self.flip, expected)
        return self


#: what only own images need
OWN_IMAGES = ("path", "title", "image_size", "colour")


class DataSettings(Settings):
    name: Literal["digits", "mnist", "fashion_mnist", "kmnist", "cifar10", "cifar100", "svhn", "mnist1d", "images"] = (
        setting(description="the data set; images: your own", source="Frankle & Carbin 2019, Fig. 2; docs/data.md")
    )
    path: str | None = setting(
        None,
        description="images only: folder of class folders, or tar of one, inside the data folder; or absolute, below a "
        "folder of LTH_ALLOWED_DIRS",
    )
    title: str | None = setting(None, description="images only: what figures call them; left out: the path's last name")
    image_size: Annotated[int, Field(ge=1, le=4096)] | None = setting(
        None, description="images only: resize and crop to a square of so many pixels; left out: they have one size"
    )
    colour: Literal["rgb", "grey"] = setting("rgb", description="images only: read them in colour or in grey")
    validation_size: Count = setting(
        description="images of the training part held out for validation, stratified",
        source="Frankle & Carbin 2019, §2 and §3: 5000",
    )
    train_size: Count | None = setting(
        None, description="train on so many images only, stratified; left out: all that validation leaves"
    )
    test_size: Count | None = setting(
        None,
        description="test on so many images only, stratified; of own images without a test part: hold out so many",
    )
    normalisation: Literal["standard", "unit"] = setting(
        "standard",
        description="standard: mean 0 and deviation 1 over the training part; unit: pixels in [0, 1]",
    )
    augmentation: AugmentationSettings | None = setting(
        None, description="changes of the training images, seeded", source="He et al. 2015, §4.2"
    )

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> DataSettings:
        if self.name == "images" and self.path is None:
            raise FieldFault("path", MISSING, "is missing; own images need the folder or archive they lie in")
        if self.name == "mnist1d" and self.normalisation == "unit":
            raise FieldFault("normalisation", "unit", "is for pixels; mnist1d holds signals: leave it out, or standard")
        for field in OWN_IMAGES if self.name != "images" else ():
            value = getattr(self, field)
            if value != type(self).model_fields[field].default:
                raise FieldFault(field, value, f"has no effect on {self.name}; it is for own images (name: images)")
        return self

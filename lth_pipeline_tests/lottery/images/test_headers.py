"""Whatever byte of an array's header is damaged, the cache is seen to be, or nothing that counts has changed."""

import pytest

from lth_pipeline.lottery.data.images import Source, content, read
from lth_pipeline_tests.lottery.images.drawn import files, pets, put


@pytest.mark.parametrize("name", list(content.ARRAYS))
def test_any_byte_of_a_header(dirs, name):
    put(dirs.sets / "pets", files(pets()))
    found = read(Source("pets"), dirs)
    path = found.folder / f"{name}.npy"
    whole = path.read_bytes()
    for place in range(128):
        for change in (1, 32, 127):
            damaged = bytearray(whole)
            damaged[place] ^= change
            path.write_bytes(damaged)
            assert content.find(dirs.cache, found.digest) in (None, found), (place, change)
    path.write_bytes(whole)
    assert content.find(dirs.cache, found.digest) == found

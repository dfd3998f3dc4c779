"""What the analysis small_network finds, made up: a fully connected network that grows thinner by a fifth a round."""

import math

import pandas as pd

FORMS = {  # (form, runtime) -> share of dense's bytes at a density, of its time at batch 1, at batch 64
    ("as trained", "torch"): (lambda density: 1.0, lambda density: 1.0, lambda density: 1.0),
    ("compact", "torch"): (lambda d: 0.3 + 0.7 * d, lambda d: 0.6 + 0.4 * d, lambda d: 0.3 + 0.7 * d),
    ("sparse", "torch"): (lambda d: min(1.0, 0.01 + 1.5 * d), lambda d: 0.8 + d, lambda d: 0.4 + 3 * d),
    ("as trained", "onnxruntime"): (lambda d: 1.001, lambda d: 0.5, lambda d: 0.8),
    ("compact", "onnxruntime"): (lambda d: 0.301 + 0.7 * d, lambda d: 0.2 + 0.3 * d, lambda d: 0.25 + 0.55 * d),
    ("int8", "onnxruntime"): (lambda d: 0.08 + 0.18 * d, lambda d: 0.3 + 0.2 * d, lambda d: 0.4 + 0.2 * d),
}
#: thousands of weights, of three layers; bytes; milliseconds of dense as trained in PyTorch
BYTES, ONE, MANY = 1_066_000, 0.045, 0.61


def tables(replicates=(0, 1, 2), rounds=range(9), forms=FORMS, collapse=False) -> dict[str, pd.DataFrame]:
    """collapse: whether the last round guesses."""
    found, layers, machine = [], [], []
    onnx = any(runtime == "onnxruntime" for _, runtime in forms)
    for replicate in replicates:
        busy = 1 + 0.06 * math.sin(3 * replicate)
        for round in rounds:
            density = 0.8**round if round < 4 else 0.55**round
            accuracy = 0.975 + 0.001 * math.sin(5 * replicate + round) - 0.0006 * max(0, round - 4) ** 2
            if collapse and round == max(rounds):
                accuracy = 0.1
            for form, runtime in forms:
                size, one, many = forms[form, runtime]
                found.append(
                    row(form, runtime)
                    | {"replicate": replicate, "round": round, "density": density}
                    | {"arm": "ticket" if round else "dense", "weights": int(266_200 * size(density))}
                    | {"bytes": int(BYTES * size(density)), "bytes_compressed": int(BYTES * 0.9 * (0.003 + density))}
                    | times("latency_1", busy * ONE * one(density))
                    | times("latency_64", busy * MANY * many(density))
                    | {"images_per_second": 64_000 / (busy * MANY * many(density))}
                    | {"accuracy": accuracy - 0.0007 * (form == "int8")}
                )
            for layer, inputs, outputs in (("fc1", 784, 300), ("fc2", 300, 100), ("out", 100, 10)):
                layers.append(
                    {
                        "replicate": replicate,
                        "round": round,
                        "layer": layer,
                        "kind": "linear",
                        "density": density,
                        "inputs": inputs,
                        "outputs": outputs,
                        "inputs_left": int(inputs * density**0.2) + replicate,
                        "outputs_left": int(outputs * density**0.1) if layer != "out" else 10,
                        "stored_as": "csr" if density < 0.5 else "dense",
                        "bytes": int(4 * inputs * outputs * density),
                    }
                )
        machine.append(
            {
                "replicate": replicate,
                "device": "cpu",
                "processor": "a processor",
                "cpu": "a processor",
                "threads": 1,
                "torch": "2.9.0",
                "onnxruntime": "1.31.0" if onnx else None,
                "compressor": "zlib, level 9",
                "left_out": None if onnx else "onnxruntime is left out: pip install --editable '.[export]'",
            }
        )
    return {"forms": pd.DataFrame(found), "layers": pd.DataFrame(layers), "machine": pd.DataFrame(machine)}


def row(form: str, runtime: str) -> dict:
    """What a row has that no round changes."""
    exact = form != "int8"
    return {
        "form": form,
        "runtime": runtime,
        "peak_bytes": 1_200_000 if runtime == "torch" else 9_000_000,
        "changed": 0 if exact else 12,
        "ties": 0,
        "max_difference": 3e-6 if exact else 0.4,
        "scale": 21.0,
        "exact": exact,
        "same": exact,
    }


def times(name: str, middle: float) -> dict:
    """Quartiles 3 % around the median."""
    return {f"{name}_ms": middle, f"{name}_low_ms": 0.97 * middle, f"{name}_high_ms": 1.03 * middle}

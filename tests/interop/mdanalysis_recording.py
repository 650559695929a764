"""Real trajectories, read by MDAnalysis, go through a recording and come out equal: as they were recorded, and as H5MD
that MDAnalysis opens.

usage: mdanalysis_recording.py RECORDER-TOOL WORK-DIRECTORY VARVITE
"""
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
import warnings

import numpy as np

warnings.simplefilter("ignore")
import MDAnalysis  # noqa: E402

SAMPLES = pathlib.Path(importlib.util.find_spec("MDAnalysisTests").origin).parent / "data"


TOPOLOGIES = {"adk_dims.dcd": "adk.psf", "cobrotoxin.h5md": "cobrotoxin.tpr"}


def universe(name, path=None, **options):
    """A sample with its topology, or another file with that topology."""
    return MDAnalysis.Universe(str(SAMPLES / TOPOLOGIES[name]), str(path or SAMPLES / name), **options)


def frames_of(found):
    """Arrays of all frames: positions, and what else the file has."""
    out = {}
    for step in found.trajectory:
        for name in ("positions", "velocities", "forces"):
            if getattr(step, "has_" + name):
                out.setdefault(name, []).append(getattr(step, name).copy())
        if step.dimensions is not None:
            out.setdefault("box", []).append(step.triclinic_dimensions.astype("f4"))
    return {name: np.stack(values) for name, values in out.items()}


def record(tool, work, name, frames):
    rows = len(frames["positions"])
    leaves = {key: f"float32[{','.join(map(str, values.shape[1:]))}]" for key, values in frames.items()}
    (work / "schema.json").write_text(json.dumps({"groups": {"step": {"every": 1, "leaves": leaves}}}))
    (work / "data").write_bytes(b"".join(frames[key][i].tobytes() for i in range(rows) for key in frames))
    path = work / (name + ".h5")
    subprocess.run([tool, "write", work / "schema.json", work / "data", str(rows), path], check=True, timeout=120)
    return path


def compare(tool, work, path, frames):
    place = work / "leaves"
    place.mkdir(exist_ok=True)
    done = subprocess.run([tool, "dump", path, place], check=True, capture_output=True, text=True, timeout=120)
    found = json.loads(done.stdout)["groups"][0]["leaves"]
    assert {leaf["name"] for leaf in found} == {f"array['{key}']" for key in frames}, found
    for i, leaf in enumerate(found):
        wanted = frames[leaf["name"].split("'")[1]]
        assert leaf["shape"] == list(wanted.shape) and leaf["dtype"] == "float32", leaf
        assert (place / f"0-{i}").read_bytes() == wanted.tobytes(), leaf["name"]


def as_h5md(varvite, path, name, frames):
    """MDAnalysis reads the H5MD that is made of a recording; it keeps boxes as lengths and angles."""
    out = path.with_suffix(".h5md")
    subprocess.run([varvite, "-q", "traj", "convert", path, out], check=True, timeout=120)
    topology = SAMPLES / ("adk.psf" if name == "adk_dims.dcd" else "cobrotoxin.tpr")
    found = frames_of(MDAnalysis.Universe(str(topology), str(out), convert_units=False))
    for key in frames:
        if key == "box":
            assert np.allclose(found[key], frames[key], rtol=1e-5, atol=1e-4), key
        else:
            assert found[key].tobytes() == frames[key].tobytes(), key


def convert(varvite, work, path, name, frames):
    """Through H5MD, which MDAnalysis opens. Units are not recorded, so it is told to convert none."""
    out = work / (name.partition(".")[0] + ".h5md")
    subprocess.run([varvite, "traj", "convert", path, out], check=True, timeout=120, stdout=subprocess.DEVNULL)
    again = frames_of(universe(name, out, convert_units=False))
    for key, wanted in frames.items():
        assert again[key].shape == wanted.shape, (key, again[key].shape)
        assert np.array_equal(again[key], wanted), f"{name}: {key} through H5MD"


def direct(varvite, tool, work, name, frames):
    """The file itself, read by us, as MDAnalysis reads it; the recording that is made of it, and the H5MD of that."""
    group = "step" if name.endswith(".dcd") else "trajectory"
    recording, again = work / (name + "-direct.h5"), work / (name + "-direct.h5md")
    subprocess.run([varvite, "-q", "traj", "convert", SAMPLES / name, recording], check=True, timeout=120)
    subprocess.run([varvite, "-q", "traj", "convert", recording, again], check=True, timeout=120)
    found = frames_of(universe(name, again, convert_units=False))
    raw = frames_of(universe(name, convert_units=False))
    for key, wanted in raw.items():
        if key == "box":
            assert np.allclose(found[key], wanted, rtol=1e-5, atol=1e-4), key
        else:
            assert found[key].tobytes() == wanted.tobytes(), key
        for path in (SAMPLES / name, recording):
            out = work / "leaf.npy"
            subprocess.run([varvite, "-q", "traj", "slice", "--npy", "-o", out, path, f"{group}/{key}"], check=True,
                           timeout=120)
            ours = np.load(out)
            assert ours.shape == wanted.shape, (path, key, ours.shape)
            assert np.array_equal(ours, wanted) or key == "box" and np.allclose(ours, wanted, atol=1e-4), (path, key)
    assert set(raw) == set(frames)


def others(varvite, work):
    """Other samples: of NAMD, CHARMM, LAMMPS, and other writers of H5MD. Frames, times and cells are MDAnalysis's."""
    from MDAnalysis.coordinates.DCD import DCDReader
    from MDAnalysis.coordinates.H5MD import H5MDReader
    from MDAnalysis.lib.mdamath import triclinic_box

    def leaf(path, name):
        subprocess.run([varvite, "-q", "traj", "slice", "--npy", "-o", work / "leaf.npy", path, name], check=True,
                       timeout=120)
        return np.load(work / "leaf.npy")

    count = 0
    for path in sorted(SAMPLES.rglob("*.dcd")):
        if path.name == "empty.dcd":
            continue
        with DCDReader(str(path), convert_units=False) as reader:
            steps = [step.copy() for step in reader]
        assert np.array_equal(leaf(path, "step/positions"), np.stack([step.positions for step in steps])), path
        assert np.allclose(leaf(path, "step/time"), [step.time for step in steps], rtol=1e-6), path
        for ours, step in zip(leaf(path, "step/box"), steps) if steps[0].dimensions is not None else ():
            assert np.allclose(triclinic_box(*ours), step.dimensions, rtol=1e-4, atol=1e-3), path
        count += 1
    for path in (SAMPLES / "coordinates/test.h5md", SAMPLES / "cu.h5md"):
        with H5MDReader(str(path), convert_units=False) as reader:
            positions = np.stack([step.positions.copy() for step in reader])
            times = [step.time for step in reader]
        group = "atoms" if path.name == "cu.h5md" else "trajectory"
        assert np.array_equal(leaf(path, f"{group}/positions").astype("f4"), positions), path
        assert np.allclose(leaf(path, f"{group}/time"), times), path
        count += 1
    print(f"{count} other samples are read as MDAnalysis reads them", flush=True)


def main():
    tool, work = sys.argv[1], pathlib.Path(sys.argv[2])
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name in ("adk_dims.dcd", "cobrotoxin.h5md"):
        frames = frames_of(universe(name))
        path = record(tool, work, name, frames)
        compare(tool, work, path, frames)
        convert(sys.argv[3], work, path, name, frames)
        if len(sys.argv) > 3:
            as_h5md(sys.argv[3], path, name, frames)
        direct(sys.argv[3], tool, work, name, frames)
        print(f"{name}: {len(frames['positions'])} frames of {', '.join(frames)}: {path.stat().st_size} bytes", flush=True)
    others(sys.argv[3], work)


main()

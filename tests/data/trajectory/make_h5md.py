"""Makes particles.h5md beside this file with h5py (3.16): two groups of particles, elements whose steps are copies, numbers
that grow, or others; what is there once; observables at two depths.

usage: make_h5md.py
"""
import pathlib

import h5py
import numpy as np


def element(group, name, value, step, time=None, unit=None, offset=None):
    made = group.create_group(name)
    made["value"] = value
    made["step"] = step
    if offset is not None:
        made["step"].attrs["offset"] = offset
    if time is not None:
        made["time"] = time
        made["time"].attrs["unit"] = "ps"
    if unit:
        made["value"].attrs["unit"] = unit
    return made


with h5py.File(pathlib.Path(__file__).parent / "particles.h5md", "w", libver="v110") as file:
    file.create_group("h5md").attrs["version"] = [1, 1]
    steps = np.arange(0, 60, 10, "i4")
    solute = file.create_group("particles/solute")
    count = np.arange(6 * 4 * 3, dtype="f4").reshape(6, 4, 3)
    element(solute, "position", count, steps, steps * 0.5, "nm")
    element(solute, "velocity", -count, steps.astype("u8"), None, "nm ps-1")
    element(solute, "force", count[:3], steps[:3] * 2)
    solute["mass"] = np.array([1.0, 2, 3, 4])
    solute["species"] = np.array([6, 1, 1, 8], "i1")
    solute["name"] = np.array([b"C", b"H", b"H", b"O"])
    box = solute.create_group("box")
    box.attrs["dimension"] = 3
    box.attrs["boundary"] = ["periodic"] * 3
    box["edges"] = np.array([4.0, 5, 6])
    solvent = file.create_group("particles/solvent")
    element(solvent, "position", count[:, :2] + 100, 5, 0.25, "nm", offset=100)
    solvent["position/time"].attrs["offset"] = 3.0
    element(file.create_group("observables"), "energy", np.arange(6.0), steps, None, "kJ mol-1")
    element(file.create_group("observables/solvent"), "energy", np.arange(3.0) + 50, [1, 2, 3])
    file["observables/constant"] = 8.25

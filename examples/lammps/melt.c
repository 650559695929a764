/*
 * 32 000 Lennard-Jones atoms that melt: LAMMPS does the physics, the recorder runs inside its program.
 *
 *   melt OUT.h5 [STEPS [CELLS]]      default 100 steps, 20 cells a side of four atoms each
 *
 * Every 10th step positions, velocities and energies are logged while LAMMPS goes on; the recorder packs and writes
 * them behind its back. What is handed over is what LAMMPS holds: nothing is converted. In reduced units.
 *
 * LAMMPS is under the GNU GPL, version 2, and so is this program once it is linked with it and handed
 * on. libvarvite knows nothing of LAMMPS.
 */
#include <lammps/library.h>
#include <stdio.h>
#include <stdlib.h>
#include <varvite/varvite.h>

#define EVERY 10

enum {
    POSITIONS,
    VELOCITIES,
    POTENTIAL,
    KINETIC,
    TEMPERATURE,
    PRESSURE,
    LEAVES
};

/* The melt of LAMMPS's own benchmarks. */
static void set_up(void *lammps, int cells)
{
    static const char *const before[] = { "units lj", "atom_style atomic",
                                          "lattice fcc 0.8442" };
    static const char *const after[] = { "create_box 1 box",
                                         "create_atoms 1 box",
                                         "mass 1 1.0",
                                         "velocity all create 1.44 87287 loop geom",
                                         "pair_style lj/cut 2.5",
                                         "pair_coeff 1 1 1.0 1.0 2.5",
                                         "neighbor 0.3 bin",
                                         "neigh_modify delay 0 every 20 check no",
                                         "fix 1 all nve",
                                         "thermo 100",
                                         "run 0 post no" };
    char region[64];

    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++)
        lammps_command(lammps, before[i]);
    snprintf(region, sizeof(region), "region box block 0 %d 0 %d 0 %d", cells, cells,
             cells);
    lammps_command(lammps, region);
    for (size_t i = 0; i < sizeof(after) / sizeof(after[0]); i++)
        lammps_command(lammps, after[i]);
}

static vv_status describe(uint64_t atoms, vv_schema **out, vv_error *err)
{
    char text[512];

    snprintf(text, sizeof(text),
             "{\"groups\": {\"step\": {\"every\": %d, \"leaves\": {"
             "\"positions\": \"float64[%llu,3]\", \"velocities\": \"float64[%llu,3]\","
             "\"potential_energy\": \"float64\", \"kinetic_energy\": \"float64\","
             "\"temperature\": \"float64\", \"pressure\": \"float64\"}}}}",
             EVERY, (unsigned long long)atoms, (unsigned long long)atoms);
    return vv_schema_from_json(text, out, err);
}

static vv_status run(void *lammps, vv_recorder *recorder, int steps, double *positions,
                     double *velocities, vv_error *err)
{
    static const char *const thermo[] = { "pe", "ke", "temp", "press" };
    double numbers[4];
    const void *row[LEAVES] = { positions,   velocities,  &numbers[0],
                                &numbers[1], &numbers[2], &numbers[3] };
    vv_status status = VV_OK;
    char command[64];

    snprintf(command, sizeof(command), "run %d pre no post no", EVERY);
    for (int step = 0; step <= steps && !status; step += EVERY) {
        if (step > 0)
            lammps_command(lammps, command);
        /* In the order of the atoms' numbers, whatever cell or processor they are in. */
        lammps_gather_atoms(lammps, "x", 1, 3, positions);
        lammps_gather_atoms(lammps, "v", 1, 3, velocities);
        for (int i = 0; i < 4; i++)
            numbers[i] = lammps_get_thermo(lammps, thermo[i]);
        status = vv_recorder_log_group(recorder, step, 0, row, LEAVES, err);
        printf("%6d  temperature %8.5f  energy an atom %10.6f\n", step, numbers[2],
               numbers[0] + numbers[1]);
    }
    return status;
}

int main(int argc, char **argv)
{
    char *options[] = { "melt", "-log", "none", "-screen", "none" };
    int steps = argc > 2 ? atoi(argv[2]) : 100, cells = argc > 3 ? atoi(argv[3]) : 20;
    double *positions = NULL, *velocities = NULL;
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_error err = VV_ERROR_INIT;
    vv_status status = VV_EINVAL;
    void *lammps;

    if (argc < 2 || steps < 0 || cells < 1) {
        fprintf(stderr, "usage: melt OUT.h5 [STEPS [CELLS]]\n");
        return 2;
    }
    lammps = lammps_open_no_mpi(5, options, NULL);
    if (!lammps) {
        fprintf(stderr, "melt: LAMMPS does not start\n");
        return 1;
    }
    set_up(lammps, cells);
    uint64_t atoms = (uint64_t)lammps_get_natoms(lammps);

    positions = malloc(atoms * 3 * sizeof(double));
    velocities = malloc(atoms * 3 * sizeof(double));
    if (!positions || !velocities) {
        snprintf(err.message, sizeof(err.message), "out of memory");
        goto done;
    }
    status = describe(atoms, &schema, &err);
    if (!status)
        status = vv_recorder_create_hdf5(argv[1], schema, NULL, &recorder, &err);
    if (!status)
        status = run(lammps, recorder, steps, positions, velocities, &err);
    if (!status)
        status = vv_recorder_flush(recorder, VV_DURABLE, 0, &err);
    if (recorder)
        vv_recorder_get_stats(recorder, &stats);
    if (recorder && vv_recorder_close(recorder, status ? NULL : &err) && !status)
        status = VV_EIO;
    if (!status)
        printf("%llu atoms, %llu rows, %.1f MB of them in %.1f MB\n",
               (unsigned long long)atoms, (unsigned long long)stats.written,
               (double)stats.raw_bytes / 1e6, (double)stats.stored_bytes / 1e6);

done:
    if (status)
        fprintf(stderr, "melt: %s\n", err.message);
    vv_schema_free(schema);
    free(positions);
    free(velocities);
    lammps_close(lammps);
    lammps_mpi_finalize();
    return status != VV_OK;
}

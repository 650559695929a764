/*
 * Liquid argon, 256 atoms, at constant energy: a molecular dynamics run that records itself.
 *
 *   argon [--steps 5000] [--every 10] [--out argon.h5] [--restart] [--flush N]
 *
 * Every 10th step goes into the file while the run goes on; one that was killed is continued by --restart
 * from its last row, and comes out as if it had never stopped. Units: Å, ps, K, kJ/mol, atomic mass units.
 * --flush N makes sure of the rows after every N of them and says so; else the recorder does it each second.
 */
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <varvite/varvite.h>

#define CELLS \
    4 /* of the face-centred lattice at the beginning, a side; four atoms each */
#define ATOMS (4 * CELLS * CELLS * CELLS)

/* Lennard-Jones argon (A. Rahman, Phys. Rev. 136, A405, 1964). Energies inside are in u Å²/ps². */
static const double boltzmann = 0.83144626; /* a kelvin */
static const double kj_per_mol = 0.01;
static const double mass = 39.948;
static const double epsilon = 119.8 * 0.83144626;
static const double sigma = 3.405;
static const double cutoff = 2.5 * 3.405;
static const double cell = 5.780; /* 1.374 g/cm³ */
static const double time_step = 0.005;

typedef struct argon {
    double box;
    double positions[ATOMS][3], velocities[ATOMS][3], forces[ATOMS][3];
    double potential; /* of all atoms */
} argon;

/* ---- the physics ------------------------------------------------------------------------- */

/* Forces and potential of all pairs nearer than the cut-off, where both are shifted to zero. */
static void find_forces(argon *run)
{
    const double s6 = pow(sigma / cutoff, 6);
    const double force_there = 24 * epsilon * (2 * s6 * s6 - s6) / cutoff;
    const double energy_there = 4 * epsilon * (s6 * s6 - s6);

    memset(run->forces, 0, sizeof(run->forces));
    run->potential = 0;
    for (int i = 0; i < ATOMS; i++) {
        for (int j = i + 1; j < ATOMS; j++) {
            double d[3], r2 = 0;

            for (int k = 0; k < 3; k++) {
                d[k] = run->positions[i][k] - run->positions[j][k];
                d[k] -= run->box * nearbyint(d[k] / run->box); /* the nearest image */
                r2 += d[k] * d[k];
            }
            if (r2 >= cutoff * cutoff)
                continue;
            double r = sqrt(r2), q2 = sigma * sigma / r2, q6 = q2 * q2 * q2;
            double force = 24 * epsilon * (2 * q6 * q6 - q6) / r - force_there;

            run->potential += 4 * epsilon * (q6 * q6 - q6) - energy_there +
                              (r - cutoff) * force_there;
            for (int k = 0; k < 3; k++) {
                run->forces[i][k] += force / r * d[k];
                run->forces[j][k] -= force / r * d[k];
            }
        }
    }
}

/* Velocity Verlet: positions and velocities belong to the same time at the end. */
static void move(argon *run)
{
    for (int i = 0; i < ATOMS; i++) {
        for (int k = 0; k < 3; k++) {
            run->velocities[i][k] += 0.5 * time_step / mass * run->forces[i][k];
            run->positions[i][k] += time_step * run->velocities[i][k];
            run->positions[i][k] -= run->box * floor(run->positions[i][k] / run->box);
        }
    }
    find_forces(run);
    for (int i = 0; i < ATOMS; i++) {
        for (int k = 0; k < 3; k++)
            run->velocities[i][k] += 0.5 * time_step / mass * run->forces[i][k];
    }
}

static double kinetic(const argon *run)
{
    double sum = 0;

    for (int i = 0; i < ATOMS; i++) {
        for (int k = 0; k < 3; k++)
            sum += run->velocities[i][k] * run->velocities[i][k];
    }
    return 0.5 * mass * sum;
}

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)((*state >> 11) + 1) / 9007199254740993.0; /* in (0, 1) */
}

/* A lattice whose atoms move at 190 K at random; half of it goes into melting. */
static void begin(argon *run)
{
    static const double corner[4][3] = {
        { 0, 0, 0 }, { 0, .5, .5 }, { .5, 0, .5 }, { .5, .5, 0 }
    };
    double drift[3] = { 0, 0, 0 };
    uint64_t random = 18;

    run->box = CELLS * cell;
    for (int i = 0; i < ATOMS; i++) {
        int at[3] = { i / 4 % CELLS, i / 4 / CELLS % CELLS, i / 4 / CELLS / CELLS };

        for (int k = 0; k < 3; k++) {
            run->positions[i][k] = (at[k] + corner[i % 4][k] + 0.25) * cell;
            run->velocities[i][k] = sqrt(-2 * boltzmann * 190 / mass *
                                         log(uniform(&random))) *
                                    cos(6.283185307179586 * uniform(&random));
            drift[k] += run->velocities[i][k] / ATOMS;
        }
    }
    for (int i = 0; i < ATOMS; i++) {
        for (int k = 0; k < 3; k++)
            run->velocities[i][k] -= drift[k];
    }
    find_forces(run);
}

/* ---- the recording ---------------------------------------------------------------------------- */

/* What is recorded: once what does not change, and the state at every n-th step. */
static vv_status describe(uint64_t every, vv_schema **out, vv_error *err)
{
    static const uint64_t box[] = { 3, 3 }, vectors[] = { ATOMS, 3 }, atoms[] = { ATOMS };
    static const struct {
        const char *name;
        vv_dtype dtype;
        uint32_t ndim;
        const uint64_t *shape;
    } leaves[2][9] = {
        { { "box", VV_FLOAT64, 2, box },
          { "masses", VV_FLOAT64, 1, atoms },
          { "atomic_numbers", VV_INT32, 1, atoms },
          { "time_step", VV_FLOAT64, 0, NULL } },
        { { "positions", VV_FLOAT64, 2, vectors },
          { "velocities", VV_FLOAT64, 2, vectors },
          { "forces", VV_FLOAT64, 2, vectors },
          { "time", VV_FLOAT64, 0, NULL },
          { "potential_energy", VV_FLOAT64, 0, NULL },
          { "kinetic_energy", VV_FLOAT64, 0, NULL },
          { "total_energy", VV_FLOAT64, 0, NULL },
          { "temperature", VV_FLOAT64, 0, NULL } },
    };
    vv_schema *schema = NULL;
    vv_status status = vv_schema_new(&schema, err);
    size_t group, leaf;

    for (int g = 0; g < 2 && !status; g++) {
        status = vv_schema_add_group(schema, g ? "step" : "init",
                                     g ? VV_EVERY(every) : VV_ONCE, NULL, &group, err);
        for (int i = 0; leaves[g][i].name && !status; i++)
            status = vv_schema_add_leaf(schema, group, leaves[g][i].name,
                                        leaves[g][i].dtype, leaves[g][i].ndim,
                                        leaves[g][i].shape, &leaf, err);
    }
    if (status) {
        vv_schema_free(schema);
        return status;
    }
    *out = schema;
    return VV_OK;
}

/* Both groups are due at step 0, so it is logged as frames that say what the values are. */
static vv_status record_first(vv_recorder *recorder, const argon *run,
                              const void *const *state, vv_error *err)
{
    static double masses[ATOMS];
    static int32_t numbers[ATOMS];
    double box[3][3] = { { run->box, 0, 0 }, { 0, run->box, 0 }, { 0, 0, run->box } };
    const void *once[] = { box, masses, numbers, &time_step };
    const vv_schema *schema = vv_recorder_schema(recorder);
    vv_value values[2][8];
    vv_frame frames[2];

    for (int i = 0; i < ATOMS; i++) {
        masses[i] = mass;
        numbers[i] = 18;
    }
    for (size_t g = 0; g < 2; g++) {
        frames[g] = (vv_frame){ g, values[g], vv_schema_leaf_count(schema, g) };
        for (size_t i = 0; i < frames[g].leaf_count; i++) {
            vv_leaf_type type;

            vv_schema_leaf_type(schema, g, i, &type);
            values[g][i] = (vv_value){ g ? state[i] : once[i], type.dtype, type.ndim,
                                       type.shape };
        }
    }
    return vv_recorder_log(recorder, 0, frames, 2, err);
}

/* Hand over the state at a step; the recorder has a copy when this returns. */
static vv_status record(vv_recorder *recorder, const argon *run, int64_t step,
                        vv_error *err)
{
    double time = (double)step * time_step, potential = run->potential * kj_per_mol;
    double kinetic_energy = kinetic(run) * kj_per_mol, total = potential + kinetic_energy;
    double temperature = kinetic(run) / (1.5 * (ATOMS - 1) * boltzmann);
    const void *state[] = { run->positions, run->velocities, run->forces, &time,
                            &potential,     &kinetic_energy, &total,      &temperature };

    if (step == 0)
        return record_first(recorder, run, state, err);
    return vv_recorder_log_group(recorder, step, 1, state, 8, err);
}

/* Take up the state in the last row of a recording, and its step. */
static vv_status take_up(const char *path, argon *run, int64_t *step, vv_error *err)
{
    static const char *const names[] = { "step/positions", "step/velocities" };
    void *const out[] = { run->positions, run->velocities };
    vv_traj_rows rows = VV_TRAJ_ROWS_INIT;
    vv_traj *traj = NULL;
    uint64_t last = 0;
    size_t group, leaf;
    vv_status status = vv_traj_open(path, &traj, err);

    if (!status)
        status = vv_traj_find(traj, "step", &group, NULL, err);
    if (!status)
        status = vv_traj_get_rows(traj, group, &rows, err);
    if (!status && rows.rows == 0) {
        snprintf(err->message, sizeof(err->message), "%s: no row to go on from", path);
        status = VV_ENOTFOUND;
    }
    if (!status) {
        last = rows.rows - 1;
        status = vv_traj_read_steps(traj, group, last, 1, step, err);
    }
    for (int i = 0; i < 2 && !status; i++) {
        status = vv_traj_find(traj, names[i], &group, &leaf, err);
        if (!status)
            status = vv_traj_read_rows(traj, group, leaf, &last, 1, out[i],
                                       sizeof(run->positions), err);
    }
    vv_traj_close(traj);
    run->box = CELLS * cell;
    if (!status)
        find_forces(run);
    return status;
}

/* ---- the run ------------------------------------------------------------------------------ */

typedef struct wishes {
    int64_t steps, every, flush;
    const char *out;
    bool restart;
} wishes;

static volatile sig_atomic_t stopped;
static void stop(int signal)
{
    (void)signal;
    stopped = 1;
}

static void say(const argon *run, int64_t step)
{
    double potential = run->potential * kj_per_mol, moving = kinetic(run) * kj_per_mol;

    printf("%8lld %8.2f %8.2f %12.4f %12.4f %14.6f\n", (long long)step,
           (double)step * time_step, kinetic(run) / (1.5 * (ATOMS - 1) * boltzmann),
           potential, moving, potential + moving);
    fflush(stdout);
}

static vv_status simulate(const wishes *want, argon *run, int64_t step,
                          vv_recorder *recorder, vv_error *err)
{
    int64_t rows = 0, told = want->steps / 10 + (want->steps < 10);
    vv_status status = VV_OK;

    printf("    step       ps        K    potential      kinetic   total kJ/mol\n");
    for (; step <= want->steps && !stopped && !status; step++) {
        if (step > 0)
            move(run);
        if (vv_recorder_due(recorder, 1, step)) {
            status = record(recorder, run, step, err);
            rows++;
        }
        if (!status && want->flush > 0 && rows == want->flush) {
            status = vv_recorder_flush(recorder, VV_DURABLE, 0, err);
            printf("safe up to step %lld\n", (long long)step);
            fflush(stdout);
            rows = 0;
        }
        if (!status && step % told == 0)
            say(run, step);
    }
    return status;
}

static vv_status run_it(const wishes *want, argon *run, vv_error *err)
{
    vv_recorder_stats stats = VV_RECORDER_STATS_INIT;
    vv_recorder *recorder = NULL;
    vv_schema *schema = NULL;
    vv_error closing = VV_ERROR_INIT;
    int64_t step = -1;
    vv_status status, closed;

    status = describe((uint64_t)want->every, &schema, err);
    if (!status && want->restart)
        status = take_up(want->out, run, &step, err);
    else
        begin(run);
    if (!status && want->restart)
        status = vv_recorder_append_hdf5(want->out, schema, step + 1, NULL, &recorder,
                                         err);
    else if (!status)
        status = vv_recorder_create_hdf5(want->out, schema, NULL, &recorder, err);
    vv_schema_free(schema);
    if (status)
        return status;
    if (want->restart)
        printf("going on behind step %lld\n", (long long)step);
    status = vv_recorder_set_attributes(
        recorder,
        "{\"program\": \"argon\", \"units\": \"length Å, time ps, energy kJ/mol, mass u\"}",
        err);
    if (!status)
        status = simulate(want, run, step + 1, recorder, err);
    if (!status)
        status = vv_recorder_flush(recorder, VV_PROCESS, 0, err);
    vv_recorder_get_stats(recorder, &stats);
    closed = vv_recorder_close(recorder, &closing);
    if (!status && closed) {
        *err = closing;
        status = closed;
    }
    if (!status)
        printf("%s: %llu rows, %.1f MB of them in %.1f MB, log waited %llu times\n",
               want->out, (unsigned long long)stats.logged, (double)stats.raw_bytes / 1e6,
               (double)stats.stored_bytes / 1e6, (unsigned long long)stats.waits);
    return status;
}

/* A count of at least least from the command line. */
static bool read_count(const char *text, int64_t least, int64_t *out)
{
    char *end;
    long long value = text ? strtoll(text, &end, 10) : 0;

    *out = value;
    return text && *text && !*end && value >= least;
}

int main(int argc, char **argv)
{
    static argon run;
    wishes want = { 5000, 10, 0, "argon.h5", false };
    vv_error err = VV_ERROR_INIT;
    bool right = true;

    for (int i = 1; i < argc && right; i++) {
        if (strcmp(argv[i], "--restart") == 0)
            want.restart = true;
        else if (strcmp(argv[i], "--steps") == 0)
            right = read_count(argv[++i], 0, &want.steps);
        else if (strcmp(argv[i], "--every") == 0)
            right = read_count(argv[++i], 1, &want.every);
        else if (strcmp(argv[i], "--flush") == 0)
            right = read_count(argv[++i], 1, &want.flush);
        else if (strcmp(argv[i], "--out") == 0)
            right = (want.out = argv[++i]) != NULL;
        else
            right = false;
    }
    if (!right) {
        fprintf(
            stderr,
            "usage: argon [--steps N] [--every N] [--out FILE] [--restart] [--flush N]\n");
        return 2;
    }
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    if (run_it(&want, &run, &err)) {
        fprintf(stderr, "argon: %s\n", err.message);
        return 1;
    }
    return 0;
}

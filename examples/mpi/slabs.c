/*
 * A plate that cools, on several processes: each records its slab into a file of its own, and the first one
 * writes a view in which the slabs are one data set.
 *
 *   mpirun -n 4 slabs DIRECTORY          writes DIRECTORY/rank-0.h5 … rank-3.h5 and DIRECTORY/plate.h5
 *
 * No process waits for another to write, and the recorder needs to know nothing of MPI. The view
 * (a virtual data set of HDF5) holds no data: its rows grow with those of the slabs, so it may be opened while
 * they are written (h5py: swmr=True) and needs their files beside it.
 */
#include <hdf5.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <varvite/varvite.h>

#define NY    64
#define NX    48
#define STEPS 500
#define EVERY 10

/* The rows of the plate that a process has. */
static int first_row(int rank, int size)
{
    return (int)((long)NY * rank / size);
}

/* ---- the physics: rows 0 and rows + 1 of field are the neighbours' ----------------------------- */

static void exchange(double (*field)[NX], int rows, int rank, int size)
{
    int above = rank > 0 ? rank - 1 : MPI_PROC_NULL;
    int below = rank + 1 < size ? rank + 1 : MPI_PROC_NULL;

    MPI_Sendrecv(field[1], NX, MPI_DOUBLE, above, 0, field[rows + 1], NX, MPI_DOUBLE,
                 below, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Sendrecv(field[rows], NX, MPI_DOUBLE, below, 1, field[0], NX, MPI_DOUBLE, above,
                 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

static void cool(double (*field)[NX], double (*next)[NX], int rows, int rank, int size)
{
    exchange(field, rows, rank, size);
    for (int y = 1; y <= rows; y++) {
        for (int x = 1; x < NX - 1; x++)
            next[y][x] = field[y][x] +
                         0.2 * (field[y - 1][x] + field[y + 1][x] + field[y][x - 1] +
                                field[y][x + 1] - 4 * field[y][x]);
    }
    for (int y = 1; y <= rows; y++) {
        for (int x = 1; x < NX - 1; x++)
            field[y][x] = next[y][x];
    }
}

/* ---- the recording ---------------------------------------------------------------------------- */

static vv_status start(const char *directory, int rank, int rows, vv_recorder **out,
                       vv_error *err)
{
    vv_recorder_options options = VV_RECORDER_OPTIONS_INIT;
    vv_compression gzip = { .codec = VV_COMPRESS_GZIP }; /* what every HDF5 reads */
    uint64_t shape[] = { (uint64_t)rows, NX };
    vv_schema *schema = NULL;
    char path[4096];
    size_t group, leaf;
    vv_status status = vv_schema_new(&schema, err);

    options.threads = 1; /* the processors are taken by the other processes */
    options.overwrite = true;
    if (!status)
        status = vv_schema_add_group(schema, "step", VV_EVERY(EVERY), &gzip, &group, err);
    if (!status)
        status = vv_schema_add_leaf(schema, group, "temperature", VV_FLOAT64, 2, shape,
                                    &leaf, err);
    snprintf(path, sizeof(path), "%s/rank-%d.h5", directory, rank);
    if (!status)
        status = vv_recorder_create_hdf5(path, schema, &options, out, err);
    vv_schema_free(schema);
    return status;
}

/* One data set of row, y and x whose slabs are the processes' leaves, as long as these are. */
static int write_view(const char *path, int size)
{
    hsize_t none[] = { 0, NY, NX }, forever[] = { H5S_UNLIMITED, NY, NX };
    hid_t space = H5Screate_simple(3, none, forever);
    hid_t layout = H5Pcreate(H5P_DATASET_CREATE);
    hid_t file, set;
    int failed = space < 0 || layout < 0;

    for (int rank = 0; rank < size && !failed; rank++) {
        hsize_t at = (hsize_t)first_row(rank, size);
        hsize_t rows = (hsize_t)first_row(rank + 1, size) - at;
        hsize_t dims[] = { 0, rows, NX }, most[] = { H5S_UNLIMITED, rows, NX };
        hsize_t start[] = { 0, at, 0 }, origin[] = { 0, 0, 0 };
        hsize_t count[] = { H5S_UNLIMITED, 1, 1 }, block[] = { 1, rows, NX };
        hid_t source = H5Screate_simple(3, dims, most);
        char name[32];

        snprintf(name, sizeof(name), "rank-%d.h5", rank); /* beside the view */
        failed = source < 0 ||
                 H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, block) <
                     0 ||
                 H5Sselect_hyperslab(source, H5S_SELECT_SET, origin, NULL, count, block) <
                     0 ||
                 H5Pset_virtual(layout, space, name, "group['step']/array['temperature']",
                                source) < 0;
        H5Sclose(source);
    }
    file = failed ? -1 : H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    set = file < 0 ? -1
                   : H5Dcreate2(file, "temperature", H5T_IEEE_F64LE, space, H5P_DEFAULT,
                                layout, H5P_DEFAULT);
    failed = set < 0;
    if (set >= 0)
        failed |= H5Dclose(set) < 0;
    if (file >= 0)
        failed |= H5Fclose(file) < 0;
    H5Pclose(layout);
    H5Sclose(space);
    return failed;
}

/* Read the last row through the view. @return how many rows there are, 0 when it cannot be read */
static unsigned long long read_view(const char *path, double (*out)[NX])
{
    hsize_t dims[3] = { 0 }, start[] = { 0, 0, 0 }, count[] = { 1, NY, NX };
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = file < 0 ? -1 : H5Dopen2(file, "temperature", H5P_DEFAULT);
    hid_t space = set < 0 ? -1 : H5Dget_space(set);
    hid_t memory = H5Screate_simple(3, count, NULL);

    if (space < 0 || H5Sget_simple_extent_dims(space, dims, NULL) != 3 || dims[0] == 0)
        return 0;
    start[0] = dims[0] - 1;
    if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(set, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, out) < 0)
        return 0;
    H5Sclose(memory);
    H5Sclose(space);
    H5Dclose(set);
    H5Fclose(file);
    return (unsigned long long)dims[0];
}

/* ---- the run ------------------------------------------------------------------------------ */

static void give_up(int rank, const char *why)
{
    fprintf(stderr, "slabs: process %d: %s\n", rank, why);
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* The first process: write the view, and hold what it shows against what all of them have in memory. */
static void join(const char *directory, int size, double (*whole)[NX])
{
    static double seen[NY][NX];
    char path[4096];

    snprintf(path, sizeof(path), "%s/plate.h5", directory);
    if (write_view(path, size))
        give_up(0, "the view cannot be written");
    unsigned long long rows = read_view(path, seen);
    for (int y = 0; y < NY; y++) {
        for (int x = 0; x < NX; x++) {
            if (rows == 0 || seen[y][x] < whole[y][x] || seen[y][x] > whole[y][x])
                give_up(0, "the view shows something else");
        }
    }
    printf("%llu rows, %.12f in the middle\n", rows, whole[NY / 2][NX / 2]);
}

int main(int argc, char **argv)
{
    static double field[NY + 2][NX], next[NY + 2][NX], whole[NY][NX];
    vv_recorder *recorder = NULL;
    vv_error err = VV_ERROR_INIT;
    int rank, size;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (argc != 2 || size > NY)
        give_up(rank, "usage: mpirun -n 4 slabs DIRECTORY");
    int at = first_row(rank, size), rows = first_row(rank + 1, size) - at;

    for (int y = 1; y <= rows; y++) {
        for (int x = 1; x < NX - 1; x++)
            field[y][x] = (at + y - 1 > 10 && at + y - 1 < 30 && x > 20) ? 100 : 0;
    }
    if (start(argv[1], rank, rows, &recorder, &err))
        give_up(rank, err.message);
    for (int step = 0; step <= STEPS; step++) {
        const void *row[] = { field[1] };

        if (vv_recorder_due(recorder, 0, step) &&
            vv_recorder_log_group(recorder, step, 0, row, 1, &err))
            give_up(rank, err.message);
        if (step < STEPS)
            cool(field, next, rows, rank, size);
    }
    if (vv_recorder_close(recorder, &err))
        give_up(rank, err.message);

    int counts[NY], places[NY];
    for (int r = 0; r < size; r++) {
        places[r] = first_row(r, size) * NX;
        counts[r] = first_row(r + 1, size) * NX - places[r];
    }
    MPI_Gatherv(field[1], rows * NX, MPI_DOUBLE, whole, counts, places, MPI_DOUBLE, 0,
                MPI_COMM_WORLD);
    if (rank == 0)
        join(argv[1], size, whole);
    MPI_Finalize();
    return 0;
}

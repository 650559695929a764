// A recorder in C++17: pendulum FILE.h5. Records the swing of a pendulum every tenth step, reads it back, and prints how many
// rows there are and how far the energy went from where it was.
#include <array>
#include <cmath>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <varvite/varvite.h>
#include <vector>

namespace
{
// A call's error, thrown.
class call
{
  public:
    operator vv_error *()
    {
        return &error;
    }
    void operator=(vv_status status)
    {
        if (status)
            throw std::runtime_error(error.message);
    }

  private:
    vv_error error = VV_ERROR_INIT;
};

using schema = std::unique_ptr<vv_schema, decltype(&vv_schema_free)>;
using traj = std::unique_ptr<vv_traj, decltype(&vv_traj_close)>;

// Gives the recording up where the program fails; close() tells whether all of it is there.
class recorder
{
  public:
    recorder(const char *path, const vv_schema *what)
    {
        vv_recorder_options options{};

        options.struct_size = sizeof(options);
        options.overwrite = true;
        call c;
        c = vv_recorder_create_hdf5(path, what, &options, &handle, c);
    }
    recorder(const recorder &) = delete;
    recorder &operator=(const recorder &) = delete;
    ~recorder()
    {
        if (handle)
            vv_recorder_abandon(handle);
    }
    template <size_t N>
    void log(int64_t step, size_t group, const std::array<const void *, N> &leaves)
    {
        call c;

        if (vv_recorder_due(handle, group, step))
            c = vv_recorder_log_group(handle, step, group, leaves.data(), N, c);
    }
    void close()
    {
        vv_recorder *last = handle;
        call c;

        handle = nullptr;
        c = vv_recorder_close(last, c);
    }

  private:
    vv_recorder *handle = nullptr;
};

double energy_of(const std::array<double, 2> &state)
{
    return 0.5 * state[1] * state[1] - std::cos(state[0]);
}

void record(const char *path)
{
    vv_schema *made = nullptr;
    call c;

    c = vv_schema_from_json("{\"groups\": {\"step\": {\"every\": 10, \"leaves\": "
                            "{\"state\": \"float64[2]\", \"energy\": \"float64\"}}}}",
                            &made, c);
    schema what(made, vv_schema_free);
    recorder run(path, what.get());
    std::array<double, 2> state{ 1.0, 0.0 }; // angle, and how fast it grows

    for (int64_t step = 0; step < 5000; step++) {
        const double energy = energy_of(state);

        run.log(step, 0, std::array<const void *, 2>{ state.data(), &energy });
        state[1] -= 0.005 * std::sin(state[0]);
        state[0] += 0.01 * state[1];
        state[1] -= 0.005 * std::sin(state[0]);
    }
    run.close();
}

void read_back(const char *path)
{
    vv_traj *opened = nullptr;
    vv_traj_leaf leaf{};
    size_t group = 0, number = 0;
    const uint64_t start = 0;
    double most = 0;
    call c;

    c = vv_traj_open(path, &opened, c);
    traj from(opened, vv_traj_close);
    c = vv_traj_find(opened, "step/energy", &group, &number, c);
    c = vv_traj_leaf_at(opened, group, number, &leaf, c);
    std::vector<double> energy(leaf.shape[0]);
    c = vv_traj_read(opened, group, number, &start, leaf.shape, nullptr, energy.data(),
                     energy.size() * sizeof(double), c);
    for (double one : energy)
        most = std::fmax(most, std::fabs(one - energy[0]));
    std::printf("%zu rows, energy within %.0e\n", energy.size(), most);
}
} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    try {
        record(argv[1]);
        read_back(argv[1]);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
}

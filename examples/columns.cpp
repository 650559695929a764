// Columns of numbers from C++: columns STORE-DIRECTORY. Stores two columns as arrays, prints the root
// of the store and the mean of what is read back.
#include <cstdio>
#include <memory>
#include <numeric>
#include <stdexcept>
#include <varvite/varvite.h>
#include <vector>

namespace
{
// A call's error, thrown.
class call {
  public:
    operator vv_error *() { return &error; }
    void operator=(vv_status status)
    {
        if (status)
            throw std::runtime_error(error.message);
    }

  private:
    vv_error error = VV_ERROR_INIT;
};

using blockstore = std::unique_ptr<vv_blockstore, decltype(&vv_blockstore_free)>;
using store = std::unique_ptr<vv_store, decltype(&vv_store_free)>;
using array = std::unique_ptr<vv_array, decltype(&vv_array_free)>;

void write_column(vv_store *to, const char *name, const std::vector<double> &numbers)
{
    const uint64_t start = 0, length = numbers.size(), chunk = 256;
    vv_array_meta meta{};
    vv_array *made = nullptr;
    call c;

    meta.struct_size = sizeof(meta);
    meta.dtype = VV_FLOAT64;
    meta.ndim = 1;
    meta.shape = &length;
    meta.chunk_shape = &chunk;
    c = vv_array_create(to, name, &meta, false, &made, c);
    array column(made, vv_array_free);
    c = vv_array_write(column.get(), &start, &length, numbers.data(),
                       numbers.size() * sizeof(double), c);
}

std::vector<double> read_column(vv_store *from, const char *name)
{
    const uint64_t start = 0;
    vv_array *opened = nullptr;
    call c;

    c = vv_array_open(from, name, &opened, c);
    array column(opened, vv_array_free);
    const uint64_t length = vv_array_get_meta(opened)->shape[0];
    std::vector<double> numbers(length);
    c = vv_array_read(opened, &start, &length, nullptr, numbers.data(),
                      length * sizeof(double), c);
    return numbers;
}

void run(const char *directory)
{
    vv_blockstore *blocks_made = nullptr;
    vv_store *store_made = nullptr;
    char text[VV_CID_TEXT_MAX];
    std::vector<double> x(1000), y(1000);
    vv_cid root;
    vv_local_options options{};
    call c;

    options.struct_size = sizeof(options);
    options.create = true;
    std::iota(x.begin(), x.end(), 0.0);
    for (size_t i = 0; i < x.size(); i++)
        y[i] = x[i] * x[i];
    c = vv_local_open(directory, &options, &blocks_made, c);
    blockstore blocks(blocks_made, vv_blockstore_free);
    c = vv_hamt_store_open(blocks.get(), nullptr, nullptr, &store_made, c);
    store columns(store_made, vv_store_free);
    write_column(columns.get(), "x", x);
    write_column(columns.get(), "y", y);
    c = vv_store_commit(columns.get(), &root, c);

    const std::vector<double> back = read_column(columns.get(), "y");
    vv_cid_format(&root, text);
    std::printf("%s\n%g\n", text,
                std::accumulate(back.begin(), back.end(), 0.0) / double(back.size()));
}
} // namespace

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    try {
        run(argv[1]);
    } catch (const std::exception &failure) {
        std::fprintf(stderr, "%s\n", failure.what());
        return 1;
    }
}

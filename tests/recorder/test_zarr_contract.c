/* The contract of sinks, over Zarr in each kind of store. */
#include "recorder/zarr_place.h"

int main(void)
{
    return run_sink_contract(&zarr_in_memory) + run_sink_contract(&zarr_in_directory) +
           run_sink_contract(&zarr_in_blocks);
}

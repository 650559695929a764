/* The contract of sinks, over the one in memory: it holds the recorder to its side. */
#include "recorder/memory_sink.h"

int main(void)
{
    return run_sink_contract(&memory_kind);
}

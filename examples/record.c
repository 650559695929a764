/*
 * A simulation that records itself: a thousand points on a circle, every tenth step into run.h5.
 *
 *   record run.h5
 */
#include <math.h>
#include <stdio.h>
#include <varvite/varvite.h>

int main(int argc, char **argv)
{
    static float positions[1000][3];
    vv_error err = VV_ERROR_INIT;
    vv_status status;

    if (argc != 2)
        return fprintf(stderr, "usage: record FILE\n"), 2;
    vv_schema *schema;
    vv_recorder *recorder = NULL;
    double energy = 0;
    const void *leaves[] = { positions, &energy };

    status = vv_schema_from_json("{\"groups\": {\"step\": {\"every\": 10, \"leaves\": "
                                 "{\"positions\": \"float32[1000,3]\", "
                                 "\"energy\": \"float64\"}}}}",
                                 &schema, &err);
    if (status)
        return fprintf(stderr, "%s\n", err.message), 1;
    status = vv_recorder_create_hdf5(argv[1], schema, NULL, &recorder, &err);
    for (int step = 0; step < 10000 && !status; step++) {
        for (int i = 0; i < 1000; i++) {
            positions[i][0] = cosf(0.001f * (float)(step + i));
            positions[i][1] = sinf(0.001f * (float)(step + i));
        }
        energy = 1.0 / (1 + step);
        if (vv_recorder_due(recorder, 0, step))
            status = vv_recorder_log_group(recorder, step, 0, leaves, 2, &err);
    }
    if (vv_recorder_close(recorder, status ? NULL : &err) || status)
        return fprintf(stderr, "%s\n", err.message), 1;
    vv_schema_free(schema);
    return 0;
}

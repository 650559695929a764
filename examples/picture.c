/* Draw numbers of a program's own as a picture: picture FILE.png */
#define _POSIX_C_SOURCE 200809L /* fileno */
#include <math.h>
#include <stdio.h>
#include <varvite/varvite.h>

#define NX 120
#define NY 60

int main(int argc, char **argv)
{
    static double values[NY][NX], lon[NX], lat[NY];
    vv_plot_field field = VV_PLOT_FIELD_INIT;
    vv_error err = VV_ERROR_INIT;
    FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;

    if (!file)
        return 2;
    for (int j = 0; j < NY; j++)
        lat[j] = -88.5 + 3 * j;
    for (int i = 0; i < NX; i++)
        lon[i] = 1.5 + 3 * i;
    for (int j = 0; j < NY; j++)
        for (int i = 0; i < NX; i++)
            values[j][i] = 10 * sin(lon[i] / 20) * cos(lat[j] / 30);
    values[NY / 2][NX / 2] = NAN; /* missing */

    field.values = &values[0][0];
    field.x = (vv_plot_axis){ .count = NX, .values = lon, .units = "degrees_east" };
    field.y = (vv_plot_axis){ .count = NY, .values = lat, .units = "degrees_north" };
    field.title = "A standing wave";
    field.name = "height";
    field.units = "m";
    if (vv_plot_render(&field, NULL, vv_sink_fd(fileno(file)), &err))
        fprintf(stderr, "%s\n", err.message);
    fclose(file);
    return err.status ? 1 : 0;
}

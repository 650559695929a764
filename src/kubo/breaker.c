/* Which gateways are well: three failures in a row trip one for thirty seconds. */
#include "kubo/kubo.h"

static uint64_t now_ns(const vvi_kubo *self)
{
    return self->hooks.now_ns ? self->hooks.now_ns(self->hooks.http.ctx) : vvi_now_ns();
}

bool vvi_kubo_is_tripped(vvi_kubo *self, const vvi_kubo_gateway *gateway)
{
    uint64_t now = now_ns(self);
    bool is_tripped;

    vvi_mutex_lock(&self->lock);
    is_tripped = gateway->tripped_until_ns > now;
    vvi_mutex_unlock(&self->lock);
    return is_tripped;
}

void vvi_kubo_note_success(vvi_kubo *self, vvi_kubo_gateway *gateway)
{
    vvi_mutex_lock(&self->lock);
    gateway->loads++;
    gateway->failures_in_row = 0;
    gateway->tripped_until_ns = 0;
    vvi_mutex_unlock(&self->lock);
}

void vvi_kubo_note_failure(vvi_kubo *self, vvi_kubo_gateway *gateway, bool counts,
                           bool lied)
{
    uint64_t now = now_ns(self);

    vvi_mutex_lock(&self->lock);
    gateway->failures += counts;
    gateway->lies += lied;
    /* Once it was tripped, the next failure trips it again. */
    if (counts && ++gateway->failures_in_row >= VVI_KUBO_TRIP_FAILURES)
        gateway->tripped_until_ns = now + VVI_KUBO_TRIP_NS;
    vvi_mutex_unlock(&self->lock);
}

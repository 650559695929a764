/* The promises of store.h that every backend keeps. */
#ifndef VV_TESTS_STORE_CONTRACT_H
#define VV_TESTS_STORE_CONTRACT_H

#include "support/support.h"

/* A backend under test: state of every test is one of these. */
typedef struct store_fixture {
    vv_store *store;
    void *held; /* what the backend's own test keeps beside it */
} store_fixture;

/* Run the whole suite; setup makes an empty store in *state, teardown takes it away. */
int run_store_contract(const char *name, CMFixtureFunction setup,
                       CMFixtureFunction teardown);

/*
 * Four threads call read(store) again and again while change(store) is called ten times. The test
 * fails if they keep it out for twenty seconds.
 */
void assert_a_writer_gets_its_turn(vv_store *store, void (*read)(vv_store *store),
                                   void (*change)(vv_store *store));

/* Helpers, also for the backends' own tests. */
void set_text(vv_store *store, const char *key, const char *value);
void assert_text(vv_store *store, const char *key, const char *value);
void assert_absent(vv_store *store, const char *key);

/* Keys told by a listing, sorted and joined by blanks; free(). */
char *listing(vv_store *store, const char *prefix);
char *dir_listing(vv_store *store, const char *directory);
void assert_listing(char *got, const char *expected); /* frees got */

#endif

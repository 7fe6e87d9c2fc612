// SPDX-License-Identifier: Apache-2.0
//
// pthread_create() for isolated code, which notes where its threads come from (chiphost/abi/thread_origins.h).
#pragma once

#include <pthread.h>

#include "chiphost/abi/thread_origins.h"

namespace chiphost::interpose {

// Like pthread_create. The note about the calling thread holds for the new one; without one, nothing is noted.
int make_thread(pthread_t* out_thread, const pthread_attr_t* attributes, void* (*main)(void*), void* argument);

// The C library's function, for an anchor's own threads.
int make_own_thread(pthread_t* out_thread, const pthread_attr_t* attributes, void* (*main)(void*), void* argument);

// From now on notes go there. nullptr: they go nowhere.
void note_origins_in(ch_thread_origins* origins);

// Makes the calling thread one that others come from. It never ends.
void become_origin();

}  // namespace chiphost::interpose

// SPDX-License-Identifier: Apache-2.0
//
// Says which lock guards which field, in words that clang checks with -Wthread-safety (.ci/thread-safety). Other
// compilers see nothing.
#pragma once

#ifdef __clang__
#define CH_THREAD_ANNOTATION(...) __attribute__((__VA_ARGS__))
#else
#define CH_THREAD_ANNOTATION(...)
#endif

// A class whose objects can be held, such as a mutex; `what` is a text for clang's warnings.
#define CH_CAPABILITY(what) CH_THREAD_ANNOTATION(capability(what))
// A class whose objects hold something as long as they live.
#define CH_SCOPED_CAPABILITY CH_THREAD_ANNOTATION(scoped_lockable)

// A field that is used only by who holds the lock.
#define CH_GUARDED_BY(...) CH_THREAD_ANNOTATION(guarded_by(__VA_ARGS__))

// A function whose caller holds the locks, or must not hold them.
#define CH_REQUIRES(...) CH_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define CH_EXCLUDES(...) CH_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))
// A function that takes the locks, or gives them back; of a lock itself, and of an object that holds one, without a
// name.
#define CH_ACQUIRE(...) CH_THREAD_ANNOTATION(acquire_capability(__VA_ARGS__))
#define CH_RELEASE(...) CH_THREAD_ANNOTATION(release_capability(__VA_ARGS__))
// A function that has taken the lock if it returns `first`: true or false.
#define CH_TRY_ACQUIRE(...) CH_THREAD_ANNOTATION(try_acquire_capability(__VA_ARGS__))

// A function that clang cannot follow. A comment says what makes it right.
#define CH_NO_THREAD_SAFETY_ANALYSIS CH_THREAD_ANNOTATION(no_thread_safety_analysis)

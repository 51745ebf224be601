// SPDX-License-Identifier: Apache-2.0

// Package storetest is the contract of [store.Store] as tests: both stores run the same.
//
// [Run] wants a fresh, migrated store for each test. [PostgresURL] makes a database for one test on the
// server that TOCSIN_TEST_POSTGRES names, and fails the test if there is none: a suite that
// skips proves nothing.
package storetest

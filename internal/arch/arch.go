// Package arch holds the tests that keep the shape of the house: who may
// import whom, which rooms are pure, and how long a file may be.
package arch

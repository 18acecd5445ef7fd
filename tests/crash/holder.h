// SPDX-License-Identifier: MIT
#pragma once

// A program that uses shared memory in every way, and checks what it reads. Speaks lines on its
// standard input and output: "?" makes it wait and say what it holds ("hold <id> <count>"
// lines and "end"), "!" lets it go on, end of input ends it. Its exit status: 0 asked to end, 3 a
// region it held changed under its hands or an operation failed in a way it must not.
int run_holder(unsigned seed);

// SPDX-License-Identifier: MIT
#pragma once

// A program that another process tells what to do, a line at a time: connect, allocate, policy ID
// JSON, map ID ro|rw, keep ID rw, poke, drop, peek ID, manage ID, deallocate ID, holds ID ro|rw.
// Answers "ok …" or the error's code.
int run_user_client();

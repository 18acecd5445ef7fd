// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"
#include "crypto/cipher_engine.h"

namespace snakepit::shm {

// Loads libsnakepit_shm_crypto.so, once per process: from the directory of this library, from the
// build or install location relative to the program, or from the system's library path. It stays
// loaded. not_supported, with the reason, if it cannot be loaded. Any thread.
Result<CipherEngine*> cipher_engine();

}  // namespace snakepit::shm

// SPDX-License-Identifier: MIT
#pragma once

#include "base/result.h"
#include "crypto/cipher_engine.h"

namespace snakepit::shm {

// Loads libsnakepit_shm_crypto.so, once a process: from beside the file this code is in, from where
// it is built or installed relative to a program's, or from where the system keeps libraries. It
// stays loaded. not_supported, with the reason, when there is none. Any thread.
Result<CipherEngine*> cipher_engine();

}  // namespace snakepit::shm

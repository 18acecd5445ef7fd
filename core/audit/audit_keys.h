// SPDX-License-Identifier: MIT
// The keys of an instance's history, and where they are stored.
#pragma once

#include <string>

#include "base/paths.h"
#include "base/result.h"
#include "crypto/signature.h"

namespace snakepit::shm {

// 64 hexadecimal digits, or a file that begins with them, such as audit.pub. invalid_argument
// otherwise.
Result<PublicKey> read_public_key(const std::string& word);

// The key that signs this instance's reports. Only the service's user can read it.
Result<SigningKey> report_key(const InstancePaths& paths);

}  // namespace snakepit::shm

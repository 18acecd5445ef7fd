// SPDX-License-Identifier: MIT
#include "audit/audit_keys.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>

#include "crypto/keys.h"

namespace snakepit::shm {

Result<PublicKey> read_public_key(const std::string& word) {
    PublicKey key{};
    if (from_hex(word, key)) return key;
    errno = 0;
    std::ifstream file(word);
    if (!file.is_open() && (word.find('/') != std::string::npos || errno != ENOENT))
        return fail(system_error(errno, fmt::format("cannot read the public key {}", word)));
    std::string text;
    file >> text;
    if (from_hex(text, key)) return key;
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a public key", word),
                "use 64 hexadecimal digits, or a file with them such as audit.pub");
}

Result<SigningKey> report_key(const InstancePaths& paths) {
    auto key = InstanceKey::load(paths.instance_key());
    if (key) return key->audit_key();
    return fail(key.error().code,
                fmt::format("the report cannot be signed: {}", key.error().message),
                "run it as the service's user, who can read the instance's key");
}

}  // namespace snakepit::shm

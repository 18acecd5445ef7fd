// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace snakepit::shm {

// The text of a configuration file with one key changed or added, and everything else (comments,
// order, blank lines) as it was. `key` is a key of [shared_memory], or of its sections as in
// "platform_options.linux.shm_path"; use_hugepages and shm_path are known by their last part too.
// `value` is TOML, or a bare word or size or duration, which is put in quotes.
// configuration_invalid, with "file:line:column", when the result would not be a valid file.
Result<std::string> with_key(std::string_view text, std::string_view key, std::string_view value,
                             std::string_view source_name);

// The same for a file, which is replaced in one step (OutputFile). A file that is not there is
// made, with its directory. Without a place in the file where the key is unknown.
Status set_in_file(const std::string& path, std::string_view key, std::string_view value);

// The keys that the text sets, below [shared_memory] and as with_key() takes them:
// "max_regions", "telemetry.listen". None if it is not TOML.
std::vector<std::string> keys_in(std::string_view text);
// Whether a change of this key takes effect only when a manager starts.
bool waits_for_restart(std::string_view key);
// The text of a configuration file; of one that is not there, or of "", it is empty.
Result<std::string> read_configuration(const std::string& path);

}  // namespace snakepit::shm

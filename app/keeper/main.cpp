// SPDX-License-Identifier: MIT
// Holds descriptors of memory without a name while no manager runs. Managers start it, with a
// listening socket as descriptor 3.
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "platform/keeper.h"
#include "platform/process.h"
#include "platform/resource_error.h"

using namespace snakepit::shm;

namespace {

constexpr int kFailed = 1, kUsageError = 2;

// Goes on in a child, which init adopts: whoever started it need not wait for its end, and may end
// first.
Status keep(const std::string& socket, std::int64_t patience_ms) {
    const auto child = ::fork();
    if (child < 0) return fail(process_error(errno, "cannot continue in the background"));
    if (child > 0) ::_exit(EXIT_SUCCESS);
    raise_descriptor_limit();
    return run_keeper(Handle(kHandedDescriptor), socket, patience_ms);
}

}  // namespace

int main(int argc, char** argv) {
    std::int64_t patience_ms = kKeeperPatienceMs;
    bool understood = argc == 2 || argc == 3;
    if (argc == 3) {
        const std::string_view number(argv[2]);
        const auto* const end = number.data() + number.size();
        const auto parsed = std::from_chars(number.data(), end, patience_ms);
        understood = parsed.ec == std::errc() && parsed.ptr == end && patience_ms >= 0;
    }
    if (!understood) {
        std::fputs(
            "usage: snakepit-shm-keeper SOCKET [PATIENCE_MS]\n"
            "A manager starts it. It has no other use.\n",
            stderr);
        return kUsageError;
    }
    const auto kept = keep(argv[1], patience_ms);
    if (!kept) std::fprintf(stderr, "snakepit-shm-keeper: %s\n", kept.error().sentence().c_str());
    return kept ? EXIT_SUCCESS : kFailed;
}

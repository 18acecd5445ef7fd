// SPDX-License-Identifier: MIT
#include "origins/linux/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace snakepit::shm::origins {

namespace {

struct Needed {
    unsigned number;
    const char* name;
};
constexpr std::array kNeeded{Needed{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
                             Needed{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
                             Needed{CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
static_assert(CAP_SYS_ADMIN < 32 && CAP_SYS_PTRACE < 32 && CAP_DAC_READ_SEARCH < 32);

using Sets = std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3>;
constexpr __user_cap_header_struct kHeader{_LINUX_CAPABILITY_VERSION_3, 0};

}  // namespace

Status keep_needed_privileges() {
    auto header = kHeader;
    Sets sets{};
    if (::syscall(SYS_capget, &header, sets.data()) != 0)
        return fail(system_error(errno, "cannot read the capabilities of this process"));
    std::uint32_t kept = 0;
    std::vector<std::string> missing;
    for (const auto& [number, name] : kNeeded) {
        kept |= 1U << number;
        if ((sets[0].permitted & 1U << number) == 0) missing.emplace_back(name);
    }
    if (!missing.empty())
        return fail(ErrorCode::permission_denied,
                    fmt::format("the origin log needs {}", fmt::join(missing, ", ")),
                    "start it as root: systemctl start snakepit-shm-origins");
    // Without CAP_SETPCAP the rest cannot be taken from the bounding set; no_new_privs is enough
    // then, because nothing that is executed gets more.
    for (unsigned number = 0; ::prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0; ++number)
        if (number >= 32 || (kept & 1U << number) == 0)
            (void)::prctl(PR_CAPBSET_DROP, number, 0, 0, 0);
    sets = {};
    sets[0].permitted = sets[0].effective = kept;
    header = kHeader;
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 ||
        ::syscall(SYS_capset, &header, sets.data()) != 0)
        return fail(system_error(errno, "cannot give up capabilities"));
    return {};
}

}  // namespace snakepit::shm::origins

// SPDX-License-Identifier: MIT
#include "memory/backing.h"

namespace snakepit::shm {

namespace {

bool open_to_others(const PermissionSet& permissions) {
    return permissions.group != Permission::none || permissions.other != Permission::none;
}

}  // namespace

Backing backing_for(const RegionOptions& options, BackingChoice configured) {
    if (options.durable) return Backing::posix;
    if (options.security_level.value_or(SecurityLevel::standard) == SecurityLevel::maximum)
        return Backing::memfd;
    if (configured == BackingChoice::automatic)
        return open_to_others(options.permissions) ? Backing::memfd : Backing::posix;
    return configured == BackingChoice::memfd ? Backing::memfd : Backing::posix;
}

Backing backing_of_sealed(bool durable) {
    return durable ? Backing::posix : Backing::memfd;
}

}  // namespace snakepit::shm

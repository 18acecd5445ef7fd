// SPDX-License-Identifier: MIT
#include "base/handle.h"

#include "platform/windows/native.h"

namespace snakepit::shm {

void Handle::reset(int value) {
    if (value_ != kNone) ::CloseHandle(windows::native(*this));
    value_ = value;
}

Handle Handle::duplicate() const {
    HANDLE copy = nullptr;
    if (!valid() ||
        !::DuplicateHandle(::GetCurrentProcess(), windows::native(*this), ::GetCurrentProcess(),
                           &copy, 0, FALSE, DUPLICATE_SAME_ACCESS))
        return {};
    return windows::owned(copy);
}

}  // namespace snakepit::shm

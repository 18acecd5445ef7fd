// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

namespace snakepit::shm {

// Owns one operating-system handle (a descriptor on POSIX systems) and closes it. Move-only.
class Handle {
  public:
    Handle() = default;
    explicit Handle(int value) : value_(value) {}
    Handle(Handle&& other) noexcept : value_(std::exchange(other.value_, kNone)) {}
    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) reset(std::exchange(other.value_, kNone));
        return *this;
    }
    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;
    ~Handle() { reset(); }

    int get() const { return value_; }
    bool valid() const { return value_ != kNone; }
    explicit operator bool() const { return valid(); }
    // A duplicate of the handle; invalid if the process has no descriptor left.
    Handle duplicate() const;
    int release() { return std::exchange(value_, kNone); }
    void reset(int value = kNone);

  private:
    static constexpr int kNone = -1;
    int value_ = kNone;
};

}  // namespace snakepit::shm

// SPDX-License-Identifier: MIT
// Programs that lock a region as the client library does: by requests, and in their lease pages.
#pragma once

#include <unistd.h>

#include "service_bench.h"

namespace snakepit::shm::test {

class LockPrograms {
  protected:
    static constexpr auto kRead = AccessMode::read_only;
    static constexpr auto kWrite = AccessMode::read_write;
    static constexpr std::uint32_t kThread = 7;
    static constexpr std::uint32_t kUser = 5000;
    void start() {
        bench_ = std::make_unique<ServiceBench>();
        ann_ = std::make_unique<Program>(bench_->service, Credentials{100, kUser, 500});
        bob_ = std::make_unique<Program>(bench_->service, Credentials{200, kUser, 500});
        region_ = std::make_unique<Grant>(std::move(*ann_->allocate(1)));
    }
    void stop() {
        ann_.reset();
        bob_.reset();
        bench_.reset();
    }
    RegionService& service() { return *bench_->service; }
    ServiceState& state() { return *bench_->state; }
    LockReply lock(const Program& who, const Grant& what, AccessMode mode,
                   std::uint32_t timeout_ms = kLockForever, std::uint32_t request = 0,
                   std::uint32_t thread = kThread) {
        const auto reply = service().lock(who.caller(), {what.id, mode, timeout_ms, thread,
                                                         request != 0 ? request : ++requests_});
        if (!reply) qWarning("%s", reply.error().sentence().c_str());
        return reply.value_or(LockReply{LockState::deadlock});
    }
    bool unlock(const Program& who, const Grant& what, std::uint64_t token) {
        return service().unlock(who.caller(), what.id, token, ++requests_).has_value();
    }
    static layout::LeaseLock& page(const Program& who, const Grant& what) {
        return who.lease().lock(what.slot);
    }
    // What the client library does.
    static std::uint64_t take(const Program& who, const Grant& what, const LockReply& told,
                              bool write) {
        const auto token = page(who, what).acquire(told.delegation->base, kThread, write,
                                                   told.delegation->writable);
        if (token) who.lease().mark(what.slot);
        return token.value_or(0);
    }
    static bool give(const Program& who, const Grant& what, const LockReply& told,
                     std::uint64_t token) {
        const bool given = page(who, what).release(told.delegation->base, token) ==
                           layout::LeaseLock::Release::released;
        if (given) who.lease().mark(what.slot);
        return given;
    }
    // Delegated to her, and idle.
    LockReply idle(const Program& who, const Grant& what, AccessMode mode = kWrite) {
        auto told = lock(who, what, mode);
        if (!told.delegation || !give(who, what, told, told.token)) qFatal("not delegated");
        return told;
    }
    std::vector<RegionLocks> shown() {
        std::uint32_t slot = 0;
        Caller caller;
        caller.credentials = {1, ::geteuid(), 0};
        return service().locks(caller, "", slot, 100'000).value();
    }
    bool inconsistent() { return state().registry.control(region_->slot).inconsistent; }
    void tick() { service().tick(state().registry.time()); }

    std::unique_ptr<ServiceBench> bench_;
    std::unique_ptr<Program> ann_, bob_;
    std::unique_ptr<Grant> region_;
    std::uint32_t requests_ = 0;
};

}  // namespace snakepit::shm::test

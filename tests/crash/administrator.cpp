// SPDX-License-Identifier: MIT
#include "administrator.h"

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

namespace snakepit::shm::test {

namespace {

constexpr auto kBetween = std::chrono::milliseconds(3);  // lets the checks and the others in

}  // namespace

Administrator::Administrator(unsigned seed, std::unique_ptr<ManagerClient> client)
    : random_(seed), client_(std::move(client)), thread_([this] { run(); }) {}

Administrator::~Administrator() {
    if (!pausing_.owns_lock()) pause();
    ends_ = true;
    resume();
    thread_.join();
}

void Administrator::run() {
    for (;;) {
        {
            const std::lock_guard held(turn_);
            if (ends_ || !failure_.empty()) return;
            act();
        }
        std::this_thread::sleep_for(kBetween);
    }
}

void Administrator::accept(const char* what, const Error& error,
                           std::initializer_list<ErrorCode> expected) {
    if (std::find(expected.begin(), expected.end(), error.code) != expected.end()) return;
    failure_ = fmt::format("{}: {}: {}", what, to_string(error.code), error.sentence());
}

void Administrator::act() {
    switch (pick(8)) {
        case 0:
        case 1: {
            const auto done = client_->defragment();
            if (!done) accept("defragment", done.error(), {});
            return;
        }
        case 2:
            return cleanup();
        case 3:
        case 4:
            return free_one();
        case 5:
            return restore_one();
        default:
            return release_one();
    }
}

void Administrator::cleanup() {
    CleanupRequest request;
    request.dry_run = pick(3) == 0;
    request.no_quarantine = pick(2) == 0;
    const auto what = pick(6);
    request.all_eligible = what == 0;
    request.expired = what == 1 || what == 2;
    request.orphans = what == 3;
    request.due = what >= 4;
    const auto done = client_->cleanup(request);
    if (!done) accept("cleanup", done.error(), {});
}

void Administrator::free_one() {
    const auto regions = client_->list();
    if (!regions) return accept("list", regions.error(), {});
    if (regions->empty()) return;
    const auto id = (*regions)[pick(regions->size())].id;
    switch (pick(4)) {
        case 0: {
            taken_regions_.insert(id.str());
            const auto gone = client_->deallocate(id, true);
            if (!gone) accept("deallocate by force", gone.error(), {ErrorCode::region_not_found});
            return;
        }
        case 1: {
            const auto gone = client_->deallocate(id);
            if (!gone) accept("deallocate", gone.error(), {ErrorCode::region_not_found});
            return;
        }
        default: {
            const auto gone = client_->quarantine(id);
            if (!gone)
                accept("quarantine", gone.error(),
                       {ErrorCode::region_not_found, ErrorCode::region_in_use});
        }
    }
}

void Administrator::restore_one() {
    const auto regions = client_->list("state:quarantined");
    if (!regions) return accept("list", regions.error(), {});
    if (regions->empty()) return;
    const auto next = client_->restore((*regions)[pick(regions->size())].id);
    if (!next)
        accept("restore", next.error(), {ErrorCode::region_not_found, ErrorCode::invalid_argument});
}

void Administrator::release_one() {
    const auto locked = client_->locks();
    if (!locked) return accept("locks", locked.error(), {});
    if (locked->empty()) return;
    const auto& region = (*locked)[pick(locked->size())];
    if (region.holders.empty()) return;
    const auto token = region.holders[pick(region.holders.size())].token;
    taken_locks_.insert(token);
    const auto released = client_->release_locks(region.id, token);
    if (!released)
        accept("locks release", released.error(),
               {ErrorCode::region_not_found, ErrorCode::not_held});
}

}  // namespace snakepit::shm::test

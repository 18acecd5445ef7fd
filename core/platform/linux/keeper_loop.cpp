// SPDX-License-Identifier: MIT
// The keeper process: holds descriptors, and waits for a manager that requests them.
#include <poll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/time.h"
#include "platform/channel.h"
#include "platform/keeper.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

namespace {

constexpr int kLookMs = 1000;              // how often it checks that it is still needed
constexpr int kPatientMs = 5000;           // with a manager that does not read
constexpr std::int64_t kFirstMs = 30'000;  // for its first manager to come

class Keeper {
  public:
    Keeper(Handle listener, std::string socket, std::int64_t patience_ms)
        : listener_(std::move(listener)),
          socket_(std::move(socket)),
          patience_(patience_ms * 1'000'000),
          last_seen_(monotonic_nanos()) {}

    Status run();

  private:
    using Peer = std::unique_ptr<Channel>;

    bool wanted();
    void accept();
    // False: the connection ended.
    bool serve(Channel& peer);
    bool answer(Channel& peer, std::string_view text, const Handle* handle = nullptr);
    bool hand_over(Channel& peer);

    Listener listener_;
    const std::string socket_;
    const std::int64_t patience_;  // nanoseconds
    FileIdentity place_;           // of the socket file
    std::vector<Peer> peers_;
    std::map<std::string, Handle> held_;
    std::int64_t last_seen_;  // a manager; monotonic nanoseconds
    bool had_one_ = false;
    Frame frame_;
};

std::optional<FileIdentity> identity_at(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return std::nullopt;
    return FileIdentity{info.st_dev, info.st_ino};
}

Status Keeper::run() {
    // Prevents access to our descriptors through /proc, and core dumps.
    ::prctl(PR_SET_DUMPABLE, 0);
    ::prctl(PR_SET_NAME, "shm-keeper");
    const auto place = identity_at(socket_);
    if (!place) return fail(system_error(errno, fmt::format("cannot stat {}", socket_)));
    place_ = *place;
    while (wanted()) {
        std::vector<pollfd> waits{{listener_.handle().get(), POLLIN, 0}};
        for (const auto& peer : peers_) waits.push_back({peer->handle().get(), POLLIN, 0});
        if (::poll(waits.data(), waits.size(), kLookMs) <= 0) continue;
        for (std::size_t i = 0; i < peers_.size(); ++i)
            if (waits[i + 1].revents != 0 && !serve(*peers_[i])) peers_[i]->close();
        std::erase_if(peers_, [](const Peer& peer) { return !peer->valid(); });
        if (waits.front().revents != 0) accept();
    }
    return {};  // the socket's file stays: it may belong to another keeper now
}

bool Keeper::wanted() {
    const auto at = monotonic_nanos();
    if (!peers_.empty()) {
        last_seen_ = at;
        return true;
    }
    // Its directory was removed, or another keeper took its place.
    if (identity_at(socket_) != place_) return false;
    if (!had_one_) return at - last_seen_ < kFirstMs * 1'000'000;
    return !held_.empty() && at - last_seen_ < patience_;
}

void Keeper::accept() {
    auto channel = listener_.accept();
    if (!channel || !*channel) return;
    const auto who = peer_of((*channel)->handle());
    if (!who || who->uid != ::geteuid()) return;
    peers_.push_back(std::make_unique<Channel>(std::move(**channel)));
    had_one_ = true;
}

bool Keeper::answer(Channel& peer, std::string_view text, const Handle* handle) {
    const int number = handle ? handle->get() : -1;
    const auto handles = handle ? std::span(&number, 1) : std::span<const int>();
    const auto deadline = monotonic_nanos() + std::int64_t{kPatientMs} * 1'000'000;
    for (;;) {
        const auto sent = peer.send(std::as_bytes(std::span(text.data(), text.size())), handles);
        if (!sent || *sent == Io::closed) return false;
        if (*sent == Io::done) return true;
        if (monotonic_nanos() >= deadline || !peer.wait(true, kPatientMs)) return false;
    }
}

bool Keeper::hand_over(Channel& peer) {
    for (const auto& [name, handle] : held_)
        if (!answer(peer, "has " + name, &handle)) return false;
    return answer(peer, "ok");
}

bool Keeper::serve(Channel& peer) {
    for (;;) {
        auto received = peer.receive(frame_);
        // No descriptor left for the received one: the others stay.
        if (!received) return answer(peer, "no " + received.error().message);
        if (*received == Io::closed) return false;
        if (*received == Io::again) return true;
        const std::string text(reinterpret_cast<const char*>(frame_.bytes.data()),
                               frame_.bytes.size());
        bool there = true;
        if (text == "hello") {
            there = answer(peer, fmt::format("keeper {}", ::getpid()));
        } else if (text == "all") {
            there = hand_over(peer);
        } else if (text.starts_with("put ") && frame_.handles.size() == 1) {
            held_.insert_or_assign(text.substr(4), std::move(frame_.handles.front()));
            there = answer(peer, "ok");
        } else if (text.starts_with("drop ")) {
            held_.erase(text.substr(5));
            there = answer(peer, "ok");
        } else {
            there = answer(peer, "unknown command");
        }
        if (!there) return false;
    }
}

}  // namespace

Status run_keeper(Handle listener, const std::string& socket, std::int64_t patience_ms) {
    return Keeper(std::move(listener), socket, patience_ms).run();
}

}  // namespace snakepit::shm

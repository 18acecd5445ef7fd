// SPDX-License-Identifier: MIT
// A manager that the test plays: it answers what the test says, or not at all.
#pragma once

#include <chrono>
#include <string>
#include <thread>
#include <utility>

#include <QtGlobal>

#include "base/paths.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"

namespace snakepit::shm::test {

inline constexpr int kFrameMs = 10'000;

// Answers one connection after the other, each by its own script.
class PlayedManager {
  public:
    explicit PlayedManager(const InstancePaths& paths) : paths_(paths) {
        if (!prepare_directories(paths)) qFatal("no directories");
        auto listener = Listener::bind(paths.control_socket());
        if (!listener) qFatal("%s", listener.error().sentence().c_str());
        listener_ = std::move(*listener);
        bool created = false;
        auto page = MappedFile::open_or_create(
            paths.runtime_dir + "/page", {layout::LeaseOffsets::end, layout::LeaseOffsets::end},
            created);
        if (!page || !page->reserve(0, 8192)) qFatal("no lease page");
        page_ = std::move(*page);
    }

    // The next connection, greeted. Invalid when none came.
    Channel welcome() {
        auto channel = accept();
        if (channel.valid()) greet(channel);
        return channel;
    }
    Channel accept() {
        for (int waited = 0; waited < kFrameMs; ++waited) {
            auto channel = listener_.accept();
            if (channel && *channel) return std::move(**channel);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        return {};
    }
    static wire::RequestT next(Channel& channel) {
        Frame frame;
        for (;;) {
            const auto got = channel.receive(frame);
            if (got && *got == Io::done) break;
            if (!got || *got == Io::closed) return {};
            if (channel.wait(false, kFrameMs).value_or(Io::again) == Io::again) return {};
        }
        return decode_request(frame.bytes).value_or(wire::RequestT{});
    }
    static void grant(Channel& channel, const wire::RequestT& request, std::uint64_t token) {
        wire::LockedT locked;
        locked.state = static_cast<std::uint8_t>(LockState::granted);
        locked.token = token;
        answer(channel, request, std::move(locked));
    }
    static void done(Channel& channel, const wire::RequestT& request) {
        answer(channel, request, wire::DoneT{});
    }
    static void refuse(Channel& channel, const wire::RequestT& request, ErrorCode code) {
        answer(channel, request, to_wire(make_error(code, "refused")));
    }

  private:
    template <typename Answer>
    static void answer(Channel& channel, const wire::RequestT& request, Answer content) {
        wire::ReplyT reply;
        reply.id = request.id;
        reply.answer.Set(std::move(content));
        Encoder encoder;
        (void)channel.send(encoder.encode(reply));
    }
    void greet(Channel& channel) {
        const auto hello = next(channel);
        if (!hello.call.AsHello()) qFatal("no greeting");
        wire::WelcomeT welcome;
        welcome.version = kProtocolVersion;
        welcome.leased = true;
        welcome.resumed = !hello.call.AsHello()->token.empty();
        welcome.token.assign(16, 7);
        wire::ReplyT reply;
        reply.id = hello.id;
        reply.answer.Set(std::move(welcome));
        Encoder encoder;
        const int handles[] = {page_.handle().get()};
        (void)channel.send(encoder.encode(reply), handles);
    }

    InstancePaths paths_;
    Listener listener_;
    MappedFile page_;
};

}  // namespace snakepit::shm::test

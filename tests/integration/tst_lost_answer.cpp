// SPDX-License-Identifier: MIT
// A manager that ends between doing what it was asked and saying so. The test plays that manager:
// a real one cannot be killed in that very moment at will.
#include <QtTest>

#include <deque>
#include <functional>
#include <thread>

#include "client/manager_client.h"
#include "layout/lease_page.h"
#include "platform/channel.h"
#include "platform/mapped_file.h"
#include "protocol/messages.h"
#include "service_fixture.h"

using namespace snakepit::shm;

namespace {

constexpr int kFrameMs = 10'000;

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
        for (int waited = 0; waited < kFrameMs; ++waited) {
            auto channel = listener_.accept();
            if (channel && *channel) {
                greet(**channel);
                return std::move(**channel);
            }
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
    static void refuse(Channel& channel, const wire::RequestT& request, ErrorCode code) {
        wire::ReplyT reply;
        reply.id = request.id;
        reply.answer.Set(to_wire(make_error(code, "refused")));
        Encoder encoder;
        (void)channel.send(encoder.encode(reply));
    }

  private:
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

}  // namespace

class LostAnswer : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused_data();
    void a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused();
    void a_lock_that_was_refused_at_once_is_not_given_up();
};

void LostAnswer::a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused_data() {
    QTest::addColumn<int>("code");
    QTest::newRow("withdrawn meanwhile") << int(ErrorCode::region_not_found);
    QTest::newRow("sealed meanwhile") << int(ErrorCode::read_only);
}

void LostAnswer::a_lock_that_may_have_been_granted_is_given_up_when_asking_again_is_refused() {
    QFETCH(int, code);
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    wire::RequestT asked, again, after;
    std::thread play([&] {
        auto first = manager.welcome();
        asked = PlayedManager::next(first);
        first.close();  // granted, and killed before it said so
        auto second = manager.welcome();
        again = PlayedManager::next(second);
        PlayedManager::refuse(second, again, static_cast<ErrorCode>(code));
        after = PlayedManager::next(second);
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    const RegionId id{17, 4};
    const auto grant = client ? (*client)->lock(id, AccessMode::read_write, 1000)
                              : Result<LockGrant>(fail(client.error()));
    play.join();
    QVERIFY(!grant);
    QCOMPARE(int(grant.error().code), code);
    QVERIFY(asked.call.AsLock() && again.call.AsLock());
    QCOMPARE(again.call.AsLock()->request, asked.call.AsLock()->request);
    QVERIFY(after.call.AsLockRequestCancel());
    QCOMPARE(after.call.AsLockRequestCancel()->request, asked.call.AsLock()->request);
    QCOMPARE(after.call.AsLockRequestCancel()->thread, asked.call.AsLock()->thread);
    QVERIFY(from_wire(*after.call.AsLockRequestCancel()->id) == id);
}

void LostAnswer::a_lock_that_was_refused_at_once_is_not_given_up() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    wire::RequestT after;
    std::thread play([&] {
        auto channel = manager.welcome();
        const auto asked = PlayedManager::next(channel);
        PlayedManager::refuse(channel, asked, ErrorCode::region_not_found);
        after = PlayedManager::next(channel);
    });
    auto client = ManagerClient::connect({.timeout_ms = kFrameMs});
    QVERIFY(client.has_value());
    QVERIFY(!(*client)->lock({17, 4}, AccessMode::read_write, 1000));
    client->reset();  // the end of the connection is what comes next
    play.join();
    QVERIFY(after.call.type == wire::Call::NONE);
}

QTEST_GUILESS_MAIN(LostAnswer)
#include "tst_lost_answer.moc"

// SPDX-License-Identifier: MIT
// What a client may send by mistake or malice, and what there is too much of.
#include <QJsonArray>
#include <QtTest>
#include <random>

#include <signal.h>
#include <sys/resource.h>

#include "client/manager_client.h"
#include "paused.h"
#include "platform/channel.h"
#include "protocol/messages.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Service;

class BadInput : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void sizes_and_limits_are_refused_by_name();
    void unknown_and_malformed_ids_are_told_apart();
    void impossible_options_are_refused();
    void garbage_and_truncated_frames_end_only_their_connection();
    void frames_in_a_wrong_order_are_refused();
    void requests_ahead_of_the_greetings_answer_are_refused();
    void a_silent_client_is_let_go();
    void a_client_that_never_reads_holds_up_nobody();
    void a_thousand_clients_are_served();
    void a_small_file_system_refuses_and_keeps_nothing();
    void cleanup();

  private:
    void expect(std::uint64_t size, const RegionOptions& options, ErrorCode code);
    Channel raw() const;
    // Everybody else is still served, and quickly.
    void check_service();

    std::unique_ptr<Service> service_;
    std::unique_ptr<ManagerClient> client_;
};

void BadInput::init() {
    service_ = std::make_unique<Service>();
    service_->host().configure(
        "max_regions = 8\nmax_region_size = \"1MiB\"\nmax_total_memory = "
        "\"2MiB\"\nmax_regions_per_process = 3");
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    client_ = std::move(*client);
}

void BadInput::cleanup() {
    if (!QTest::currentTestFailed()) check_service();
    client_.reset();
    QCOMPARE(service_->stop(), 0);
}

void BadInput::check_service() {
    const auto id = service_->cli_json({"allocate", "4KiB"}).value("id").toString();
    QVERIFY(!id.isEmpty());
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
}

void BadInput::expect(std::uint64_t size, const RegionOptions& options, ErrorCode code) {
    const auto id = client_->allocate(size, options);
    QVERIFY2(!id, "it was accepted");
    QCOMPARE(QString::fromUtf8(to_string(id.error().code).data()),
             QString::fromUtf8(to_string(code).data()));
    QVERIFY2(!id.error().remedy.empty(), id.error().message.c_str());
    QCOMPARE(id.error().operation, std::string("allocate"));
}

Channel BadInput::raw() const {
    auto channel = Channel::connect(client_->paths().control_socket());
    return channel ? std::move(*channel) : Channel();
}

void BadInput::sizes_and_limits_are_refused_by_name() {
    expect(0, {}, ErrorCode::invalid_size);
    expect((1 << 20) + 1, {}, ErrorCode::size_exceeds_limit);
    expect(~std::uint64_t{0}, {}, ErrorCode::size_exceeds_limit);
    QVERIFY(client_->allocate(1 << 20).has_value());
    QVERIFY(client_->allocate(512 << 10).has_value());
    expect(600 << 10, {}, ErrorCode::memory_limit_exceeded);
    QVERIFY(client_->allocate(4096).has_value());
    expect(4096, {}, ErrorCode::process_region_limit_exceeded);
    for (int i = 0; i < 5; ++i) QCOMPARE(service_->cli({"allocate", "4096"}).status, 0);
    const auto full = service_->cli({"allocate", "4096", "--json"});
    QCOMPARE(full.status, 1);
    QCOMPARE(full.error().value("code").toString(), "region_limit_exceeded");
    QCOMPARE(service_->cli_json({"list"}).value("regions").toArray().size(), 8);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
}

void BadInput::unknown_and_malformed_ids_are_told_apart() {
    const auto unknown = client_->map(RegionId{1, 1}, AccessMode::read_only);
    QVERIFY(!unknown && unknown.error().code == ErrorCode::region_not_found);
    QVERIFY(!client_->deallocate(RegionId{1, 1}));
    for (const auto* id : {"", "shm_", "shm_1_2", "shm_0_0123456789abcdef",
                           "shm_1_0123456789ABCDEF", "../../etc/passwd"}) {
        const auto answer = service_->cli({"info", id, "--json"});
        QVERIFY2(answer.status == 1 || answer.status == 2, id);
        QVERIFY2(!answer.err.isEmpty(), id);
    }
    QCOMPARE(service_->cli({"info", "shm_1700000000000000_0123456789abcdef", "--json"})
                 .error()
                 .value("type")
                 .toString(),
             "region_not_found");
}

void BadInput::impossible_options_are_refused() {
    RegionOptions options;
    options.metadata = "no JSON";
    expect(4096, options, ErrorCode::invalid_argument);
    options.metadata = "{\"key\":\"" + std::string(kMaxMetadataBytes, 'x') + "\"}";
    expect(4096, options, ErrorCode::invalid_argument);
    options = {};
    options.cleanup_policy = static_cast<CleanupPolicy>(9);
    const auto id = client_->allocate(4096, options);
    QVERIFY(!id && id.error().code == ErrorCode::invalid_argument);
}

void BadInput::garbage_and_truncated_frames_end_only_their_connection() {
    std::mt19937 random(42);
    wire::RequestT hello;
    wire::HelloT greeting;
    greeting.version = kProtocolVersion;
    greeting.lease = false;
    hello.call.Set(greeting);
    Encoder encoder;
    const auto encoded = encoder.encode(hello);
    const std::vector<std::byte> good(encoded.begin(), encoded.end());
    for (int i = 0; i < 300; ++i) {
        auto frame = good;
        if (i % 3 == 0) {
            frame.resize(random() % 2000 + 1);
            for (auto& byte : frame) byte = static_cast<std::byte>(random());
        } else if (i % 3 == 1) {
            frame.resize(random() % (good.size() - 1) + 1);
        } else {
            for (int flips = 0; flips < 4; ++flips)
                frame[random() % frame.size()] = static_cast<std::byte>(random());
        }
        auto channel = raw();
        QVERIFY(channel.valid());
        QVERIFY(channel.send(frame).has_value());
        if (i % 10 == 0)
            QVERIFY(channel.wait(false, test::kPatienceMs).value() ==
                    Io::done);  // told, or hung up
    }
    // The longest frame there can be, and one too long for it.
    auto channel = raw();
    QVERIFY(channel.send(std::vector<std::byte>(kMaxFrame)).has_value());
    auto too_long = raw();
    (void)too_long.send(std::vector<std::byte>(kMaxFrame + 1));
    QVERIFY(client_->list().has_value());
}

void BadInput::frames_in_a_wrong_order_are_refused() {
    auto channel = raw();
    wire::RequestT request;
    request.call.Set(wire::ListT{});
    Encoder encoder;
    QVERIFY(channel.send(encoder.encode(request)).value() == Io::done);
    QVERIFY(channel.wait(false, test::kPatienceMs).value() == Io::done);
    Frame frame;
    QVERIFY(channel.receive(frame).value() == Io::done);
    const auto reply = decode_reply(frame.bytes);
    QVERIFY(reply && reply->answer.AsFailure());
    QCOMPARE(reply->answer.AsFailure()->code, static_cast<int>(ErrorCode::protocol_error));
    QVERIFY(channel.wait(false, test::kPatienceMs).value() == Io::done);
    QVERIFY(channel.receive(frame).value() == Io::closed);
}

// They may be of a process that ended since, and whose number is another's now.
void BadInput::requests_ahead_of_the_greetings_answer_are_refused() {
    const auto pid = static_cast<pid_t>(service_->pid());
    auto channel = raw();
    QVERIFY(test::pause_process(pid));
    wire::RequestT hello, list;
    wire::HelloT greeting;
    greeting.version = kProtocolVersion;
    greeting.lease = false;
    hello.call.Set(greeting);
    list.call.Set(wire::ListT{});
    Encoder encoder;
    QVERIFY(channel.send(encoder.encode(hello)).value() == Io::done);
    QVERIFY(channel.send(encoder.encode(list)).value() == Io::done);
    QCOMPARE(::kill(pid, SIGCONT), 0);
    // The system tells of the hang-up before it hands over why, for our request was not read.
    Frame frame;
    int told = 0;
    for (int hung_up = 0; hung_up < 2;) {
        QVERIFY(channel.wait(false, test::kPatienceMs).value() == Io::done);
        if (channel.receive(frame).value() == Io::closed) {
            ++hung_up;
            continue;
        }
        const auto reply = decode_reply(frame.bytes);
        QVERIFY(reply && reply->answer.AsFailure());
        QCOMPARE(reply->answer.AsFailure()->code, static_cast<int>(ErrorCode::protocol_error));
        ++told;
    }
    QCOMPARE(told, 1);
    QVERIFY(client_->list().has_value());
}

void BadInput::a_silent_client_is_let_go() {
    auto channel = raw();
    QVERIFY(channel.valid());
    QVERIFY(client_->list().has_value());  // meanwhile
    QVERIFY(channel.wait(false, test::kPatienceMs).value() == Io::done);
    Frame frame;
    QVERIFY(channel.receive(frame).value() == Io::done);
    const auto reply = decode_reply(frame.bytes);
    QVERIFY(reply && reply->answer.AsFailure() &&
            reply->answer.AsFailure()->code == static_cast<int>(ErrorCode::timeout));
}

void BadInput::a_client_that_never_reads_holds_up_nobody() {
    for (int i = 0; i < 3; ++i) QVERIFY(client_->allocate(4096).has_value());
    auto channel = raw();
    wire::RequestT hello;
    wire::HelloT greeting;
    greeting.version = kProtocolVersion;
    greeting.lease = false;
    hello.call.Set(greeting);
    Encoder encoder;
    QVERIFY(channel.send(encoder.encode(hello)).value() == Io::done);
    QVERIFY(channel.wait(false, test::kPatienceMs).value() == Io::done);
    Frame welcome;
    QVERIFY(channel.receive(welcome).value() == Io::done);
    wire::RequestT ask;
    ask.id = 1;
    ask.call.Set(wire::ListT{});
    const auto bytes = encoder.encode(ask);
    int sent = 0;
    while (sent < 100'000 && channel.send(bytes).value() == Io::done) ++sent;
    QVERIFY2(sent < 100'000, "the manager reads on although nothing takes its answers");
    for (int i = 0; i < 50; ++i) QVERIFY(client_->list().has_value());
}

void BadInput::a_thousand_clients_are_served() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    std::vector<std::unique_ptr<ManagerClient>> clients;
    const auto id = client_->allocate(4096);
    QVERIFY(id.has_value());
    for (int i = 0; i < 1000; ++i) {
        auto client = ManagerClient::connect();
        QVERIFY2(client.has_value(), client ? "" : client.error().sentence().c_str());
        QVERIFY((*client)->map(*id, AccessMode::read_only).has_value());
        clients.push_back(std::move(*client));
    }
    QCOMPARE(client_->info(*id)->reference_count, 1001U);
    clients.clear();
    QTRY_COMPARE_WITH_TIMEOUT(client_->info(*id)->reference_count, 1U, test::kPatienceMs);
}

void BadInput::a_small_file_system_refuses_and_keeps_nothing() {
    // In a mount namespace of its own the service finds a file system of 512 KiB at shm_path.
    client_.reset();
    QCOMPARE(service_->stop(), 0);
    const auto directory = service_->host().path("segments");
    const QStringList spaces = ::geteuid() == 0 ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    if (test::Peer("unshare", spaces + QStringList{"true"},
                   service_->host().environment(service_->instance()))
            .wait()
            .status != 0) {
        QVERIFY(service_->start());
        QSKIP(
            "this machine lets nobody have mounts of their own (a container or a chroot): no small "
            "file system to try");
    }
    test::Peer serve(
        "unshare",
        spaces +
            QStringList{"sh", "-c",
                        QString("mount -t tmpfs -o size=512k none %1 && exec %2/snakepit-shm serve")
                            .arg(directory, QCoreApplication::applicationDirPath())},
        service_->host().environment(service_->instance()));
    QVERIFY(serve.line().contains("serving instance"));
    auto client = ManagerClient::connect();
    QVERIFY(client.has_value());
    const auto small = (*client)->allocate(256 << 10);
    QVERIFY(small.has_value());
    const auto large = (*client)->allocate(400 << 10);
    QVERIFY(!large);
    QCOMPARE(large.error().code, ErrorCode::no_space);
    QCOMPARE(large.error().type(), ErrorType::allocation_failed);
    QVERIFY(!large.error().remedy.empty());
    // What was given can be filled to its last byte, and what was refused took nothing.
    const auto mapped = (*client)->map(*small, AccessMode::read_write);
    QVERIFY(mapped.has_value());
    std::fill_n(mapped->data, mapped->size, std::byte{0xA5});
    QVERIFY((*client)->allocate(200 << 10).has_value());
    QVERIFY((*client)->list().value().size() == 2);
    client->reset();
    serve.end(SIGTERM);
    QVERIFY(service_->start());
}

QTEST_GUILESS_MAIN(BadInput)
#include "tst_bad_input.moc"

// SPDX-License-Identifier: MIT
// Releases that meet: clients and managers of another protocol, and files of an earlier release.
// `recorded/` has frames of protocol 1, as the last client and manager that spoke it sent them,
// each protocol's schema, and an earlier history.
#include <thread>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QtTest>

#include <SQLiteCpp/SQLiteCpp.h>

#include "client/manager_client.h"
#include "layout/encrypted_layout.h"
#include "layout/frame_ring.h"
#include "layout/grants_layout.h"
#include "layout/lease_page.h"
#include "layout/locks_layout.h"
#include "layout/registry_layout.h"
#include "layout/signals_layout.h"
#include "played_manager.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::PlayedManager;

namespace {

QByteArray recorded(const QString& name) {
    QFile file(QStringLiteral(SNAKEPIT_RECORDED "/") + name);
    if (!file.open(QIODevice::ReadOnly)) qFatal("%s is missing", qPrintable(file.fileName()));
    return file.readAll();
}

// Of protocol 1.
QByteArray frame(const QByteArray& name) {
    for (const auto& line : recorded("frames_1.txt").split('\n'))
        if (line.startsWith(name + ' ')) return QByteArray::fromHex(line.mid(name.size() + 1));
    qFatal("no frame %s", name.constData());
}

std::span<const std::byte> bytes_of(const QByteArray& frame) {
    return {reinterpret_cast<const std::byte*>(frame.constData()),
            static_cast<std::size_t>(frame.size())};
}

}  // namespace

class Versions : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void an_older_client_is_told_to_upgrade_data();
    void an_older_client_is_told_to_upgrade();
    void a_newer_client_is_told_that_the_manager_is_older();
    void a_client_is_told_that_its_manager_is_older();
    void layouts_do_not_change_within_a_version();
    void an_earlier_history_is_read();

  private:
    // What the manager answers to these bytes, its connection's first.
    static wire::ReplyT answer_to(const test::Service& service, std::span<const std::byte> bytes);
};

wire::ReplyT Versions::answer_to(const test::Service& service, std::span<const std::byte> bytes) {
    service.host().use_in_this_process(service.instance());
    const auto paths = resolve_paths(service.instance().toStdString());
    auto channel = Channel::connect(paths.value().control_socket()).value();
    if (channel.send(bytes).value_or(Io::closed) != Io::done) return {};
    Frame received;
    for (;;) {
        if (channel.wait(false, test::kPatienceMs).value_or(Io::again) == Io::again) return {};
        const auto got = channel.receive(received);
        if (got && *got == Io::again) continue;
        if (!got || *got == Io::closed) return {};
        return decode_reply(received.bytes).value_or(wire::ReplyT{});
    }
}

void Versions::an_older_client_is_told_to_upgrade_data() {
    QTest::addColumn<QByteArray>("frame");
    QTest::newRow("new client") << frame("hello");
    QTest::newRow("client of the manager before") << frame("hello_again");
}

void Versions::an_older_client_is_told_to_upgrade() {
    QFETCH(QByteArray, frame);
    test::Service service;
    QVERIFY(service.start());
    const auto reply = answer_to(service, bytes_of(frame));
    const auto* failure = reply.answer.AsFailure();
    QVERIFY(failure);
    QCOMPARE(failure->code, std::int32_t(ErrorCode::version_mismatch));
    const auto expected =
        QString("the client library speaks protocol 1, the manager %1").arg(kProtocolVersion);
    QCOMPARE(QString::fromStdString(failure->message), expected);
    QVERIFY(failure->remedy.find("upgrade the client library") != std::string::npos);
    QVERIFY(service.cli_json({"status"}).contains("clients"));  // and the manager goes on
}

void Versions::a_newer_client_is_told_that_the_manager_is_older() {
    test::Service service;
    QVERIFY(service.start());
    wire::HelloT hello;
    hello.version = kProtocolVersion + 1;
    wire::RequestT request;
    request.call.Set(std::move(hello));
    Encoder encoder;
    const auto reply = answer_to(service, encoder.encode(request));
    const auto* failure = reply.answer.AsFailure();
    QVERIFY(failure);
    QCOMPARE(failure->code, std::int32_t(ErrorCode::version_mismatch));
    QVERIFY(failure->remedy.find("upgrade the manager") != std::string::npos);
}

void Versions::a_client_is_told_that_its_manager_is_older() {
    const test::TestHost host;
    host.use_in_this_process("played");
    PlayedManager manager(*resolve_paths("played"));
    std::thread play([&] {
        auto channel = manager.accept();
        (void)PlayedManager::next(channel);
        (void)channel.send(bytes_of(frame("refusal")));
    });
    const auto client = ManagerClient::connect();
    play.join();
    QVERIFY(!client);
    QCOMPARE(client.error().code, ErrorCode::version_mismatch);
    const auto said = client.error().sentence();
    QVERIFY2(said.find("protocol 2, the manager 1") != std::string::npos, said.c_str());
}

// Whoever changes one of these raises the version that covers it: kProtocolVersion for what clients
// map, kVersion for the manager's files. Then records the new sizes here.
void Versions::layouts_do_not_change_within_a_version() {
    using namespace layout;
    QCOMPARE(kProtocolVersion, 2U);
    QCOMPARE(LeaseOffsets::word(kChunkSlots) - LeaseOffsets::word(0), std::uint64_t{28672});
    QCOMPARE(LeaseOffsets::word(0), std::uint64_t{20480});
    QCOMPARE(LeaseOffsets::wake, std::uint64_t{64});
    QCOMPARE(LeaseOffsets::signals, std::uint64_t{128});
    QCOMPARE(LeaseOffsets::end, std::uint64_t{29380608});
    QCOMPARE(LeaseWord::make(1, 1), std::uint64_t{1} << 40 | 1);
    QCOMPARE(sizeof(LeaseLock), std::size_t{16});
    QCOMPARE(sizeof(SignalWord), std::size_t{64});
    QCOMPARE(sizeof(RingHeader), std::size_t{320});
    QCOMPARE(sizeof(ChunkEntry), std::size_t{48});

    QCOMPARE(kVersion, 5U);
    QCOMPARE(RegistryOffsets::end, std::uint64_t{1809448960});
    QCOMPARE(sizeof(Slot), std::size_t{384});
    QCOMPARE(sizeof(SlotFixed), std::size_t{168});
    QCOMPARE(sizeof(SlotBody), std::size_t{88});
    QCOMPARE(sizeof(ClientRow), std::size_t{128});
    QCOMPARE(sizeof(EventEntry), std::size_t{144});
    QCOMPARE(sizeof(ClientRecord), std::size_t{192});
    QCOMPARE(sizeof(LockRecord), std::size_t{64});
    QCOMPARE(LocksOffsets::end, std::uint64_t{4198400});
}

void Versions::an_earlier_history_is_read() {
    const test::Service service;
    const auto directory = service.host().state_dir(service.instance());
    QVERIFY(QDir().mkpath(directory));
    SQLite::Database(QString(directory + "/events.db").toStdString(),
                     SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec(recorded("events_2.sql").toStdString());
    const auto events = service.cli_json({"events"}).value("events").toArray();
    QCOMPARE(events.size(), 7);
    const auto allocated = service.cli_json({"events", "--kind", "allocated"})
                               .value("events")
                               .toArray()
                               .at(0)
                               .toObject();
    QCOMPARE(allocated.value("detail").toObject().value("name").toString(), "recorded");
    QCOMPARE(allocated.value("detail").toObject().value("size").toInteger(), 4096);
}

QTEST_GUILESS_MAIN(Versions)
#include "tst_versions.moc"

// SPDX-License-Identifier: MIT
// Regions of level `high` and `maximum` between real processes: what they promise to those who use
// them.
#include "encryption_fixture.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

class Encryption : public EncryptionTest {
    Q_OBJECT

  private Q_SLOTS:
    void what_is_written_is_read_data();
    void what_is_written_is_read();
    void a_part_is_read_and_written_alone();
    void a_mapping_is_a_copy_until_it_is_flushed();
    void two_writers_of_different_chunks_keep_both();
    void the_command_line_reads_writes_and_rotates();
    void the_configuration_encrypts_what_says_no_level();
    void a_durable_region_cannot_be_encrypted();
    void a_sealed_region_stays_readable();
    void contents_and_mappings_outlive_a_killed_manager();
    void a_key_is_rotated_while_two_write();
    void a_writer_that_is_killed_leaves_a_whole_version();
    void a_program_without_the_module_is_told_so();
};

void Encryption::what_is_written_is_read_data() {
    QTest::addColumn<int>("level");
    QTest::addColumn<quint64>("size");
    for (const auto level : {SecurityLevel::high, SecurityLevel::maximum})
        for (const quint64 size : {quint64{1}, quint64{kChunk}, quint64{3 * kChunk + 100}})
            QTest::addRow("%s, %llu bytes", to_string(level).data(),
                          static_cast<unsigned long long>(size))
                << static_cast<int>(level) << size;
}

void Encryption::what_is_written_is_read() {
    QFETCH(int, level);
    QFETCH(quint64, size);
    const auto id = allocate(size, static_cast<SecurityLevel>(level));
    QVERIFY(read(id, 0, size) == std::vector<std::byte>(size));
    for (unsigned round = 0; round < 5; ++round) {
        const auto bytes = pattern(size, round);
        QVERIFY(client_->write(id, 0, bytes));
        QVERIFY(read(id, 0, size) == bytes);
        const auto other = ManagerClient::connect();
        const auto mapped = (*other)->map(id, AccessMode::read_only);
        QVERIFY(mapped && mapped->size == size);
        QVERIFY(std::equal(bytes.begin(), bytes.end(), mapped->data));
        QVERIFY((*other)->unmap(*mapped));
    }
    QCOMPARE(service_->cli_json({"info", name(id)}).value("security_level").toString(),
             QString(to_string(static_cast<SecurityLevel>(level)).data()));
}

void Encryption::a_part_is_read_and_written_alone() {
    const auto size = 3 * kChunk + 500;
    const auto id = allocate(size);
    auto expected = std::vector<std::byte>(size);
    std::minstd_rand random(7);
    for (unsigned round = 0; round < 60; ++round) {
        const auto at = random() % size;
        const auto bytes = pattern(1 + random() % (size - at), round);
        QVERIFY(client_->write(id, at, bytes));
        std::copy(bytes.begin(), bytes.end(), expected.begin() + static_cast<long>(at));
        const auto from = random() % size;
        const auto count = 1 + random() % (size - from);
        const auto begin = expected.begin() + static_cast<long>(from);
        QVERIFY(read(id, from, count) ==
                std::vector<std::byte>(begin, begin + static_cast<long>(count)));
    }
    // Of a chunk nobody touched, nothing is written: its cells stay as they are.
    const auto before = segment(id);
    QVERIFY(client_->write(id, 10, pattern(10, 1)));
    const layout::EncryptedLayout layout(size);
    const auto cells = static_cast<qsizetype>(layout.cell(1, 1));
    QVERIFY(before.mid(cells) == segment(id).mid(cells));
    QVERIFY(before != segment(id));
    std::byte one{};
    QCOMPARE(code(client_->read(id, size, {&one, 1})), ErrorCode::invalid_argument);
    QCOMPARE(code(client_->write(id, size - 1, pattern(2, 1))), ErrorCode::invalid_argument);
}

void Encryption::a_mapping_is_a_copy_until_it_is_flushed() {
    const auto id = allocate(2 * kChunk);
    auto other = ManagerClient::connect();
    const auto mine = client_->map(id, AccessMode::read_write);
    const auto theirs = (*other)->map(id, AccessMode::read_only);
    QVERIFY(mine && theirs);
    mine->data[0] = std::byte{1};
    mine->data[2 * kChunk - 1] = std::byte{2};
    QVERIFY((*other)->refresh(*theirs));
    QCOMPARE(theirs->data[0], std::byte{0});
    QVERIFY(client_->flush(*mine));
    QCOMPARE(theirs->data[0], std::byte{0});
    QVERIFY((*other)->refresh(*theirs));
    QCOMPARE(theirs->data[0], std::byte{1});
    QCOMPARE(theirs->data[2 * kChunk - 1], std::byte{2});
    // Nothing changed: nothing is sent.
    const auto trips = client_->round_trips();
    QVERIFY(client_->flush(*mine));
    QCOMPARE(client_->round_trips(), trips);
    // Unmapping flushes; a client that goes without it loses what it changed.
    mine->data[1] = std::byte{3};
    QVERIFY(client_->unmap(*mine));
    QCOMPARE(code(client_->unmap(*mine)), ErrorCode::not_held);
    const auto again = client_->map(id, AccessMode::read_write);
    again->data[1] = std::byte{4};
    client_.reset();
    QVERIFY((*other)->refresh(*theirs));
    QCOMPARE(theirs->data[1], std::byte{3});
}

void Encryption::two_writers_of_different_chunks_keep_both() {
    const auto id = allocate(2 * kChunk);
    const auto one = client_->map(id, AccessMode::read_write);
    const auto two = client_->map(id, AccessMode::read_write);
    QVERIFY(one && two && one->data != two->data);
    one->data[0] = std::byte{1};
    two->data[kChunk] = std::byte{2};
    QVERIFY(client_->flush(*two));
    QVERIFY(client_->flush(*one));
    QCOMPARE(read(id, 0, 1)[0], std::byte{1});
    QCOMPARE(read(id, kChunk, 1)[0], std::byte{2});
    // What is unchanged here comes in, what is changed stays.
    one->data[1] = std::byte{7};
    QVERIFY(client_->refresh(*one));
    QCOMPARE(one->data[kChunk], std::byte{2});
    QCOMPARE(one->data[1], std::byte{7});
    QVERIFY(client_->unmap(*one) && client_->unmap(*two));
    QCOMPARE(read(id, 1, 1)[0], std::byte{7});
}

void Encryption::the_command_line_reads_writes_and_rotates() {
    const auto id =
        service_->cli_json({"allocate", "200000", "--security-level", "maximum"}).value("id");
    QVERIFY(!id.toString().isEmpty());
    auto writer = service_->cli_peer({"write", id.toString(), "--offset", "70000"});
    writer->say("seventy thousand");
    QCOMPARE(writer->wait().status, 0);
    const auto rotated = service_->cli_json({"key", "rotate", id.toString()});
    QCOMPARE(rotated.value("key_version").toInt(), 2);
    const auto part =
        service_->cli({"read", id.toString(), "--offset", "69998", "--size", "10"}).out;
    QCOMPARE(part, QString("%1%1seventy ").arg(QChar(0)));
    QCOMPARE(service_->cli({"read", id.toString()}).out.size(), 200000);
    QVERIFY(QTest::qWaitFor(
        [&] {
            const auto events = service_->cli_json({"events", "--kind", "key_rotated"});
            const auto event = events.value("events").toArray().at(0).toObject();
            return event.value("region_id") == id && event.value("pid").toInt() > 0;
        },
        kPatienceMs));
    const auto plain = service_->cli_json({"allocate", "100"}).value("id").toString();
    QCOMPARE(service_->cli({"key", "rotate", plain}).status, 2);
}

void Encryption::the_configuration_encrypts_what_says_no_level() {
    const auto level = [&](const QString& lines) {
        service_->host().configure(lines);
        if (service_->cli({"config", "reload"}).status != 0) return QString("no reload");
        const auto id = service_->cli_json({"allocate", "100"}).value("id").toString();
        return service_->cli_json({"info", id}).value("security_level").toString();
    };
    QCOMPARE(level(""), "standard");
    QCOMPARE(level("encryption_enabled = true"), "high");
    QCOMPARE(level("encryption_enabled = true\nsecurity_level = \"maximum\""), "maximum");
    QCOMPARE(level("security_level = \"high\""), "high");
}

void Encryption::a_durable_region_cannot_be_encrypted() {
    const auto refused =
        service_->cli({"allocate", "100", "--durable", "--security-level", "high", "--json"});
    QCOMPARE(refused.error().value("code").toString(), "not_supported");
    QVERIFY(refused.error().value("message").toString().contains("durable"));
    const auto remedy = refused.error().value("remedy").toString();
    QVERIFY2(remedy.contains("level 'standard'"), qPrintable(remedy));
    QCOMPARE(service_->cli({"allocate", "100", "--durable", "--security-level", "standard"}).status,
             0);
}

void Encryption::a_sealed_region_stays_readable() {
    // Nobody's: who allocates holds a reference, which would put the sealing off.
    const auto word = service_->cli_json({"allocate", "128KiB", "--security-level", "maximum"});
    const auto id = *RegionId::parse(word.value("id").toString().toStdString());
    const auto bytes = pattern(2 * kChunk, 3);
    const auto mapped = client_->map(id, AccessMode::read_write);
    std::copy(bytes.begin(), bytes.end(), mapped->data);
    QVERIFY(!client_->seal(id).value());
    // What was written before still gets there.
    QVERIFY(client_->unmap(*mapped));
    QTRY_VERIFY_WITH_TIMEOUT(client_->info(id)->sealed, kPatienceMs);
    QVERIFY(read(id, 0, bytes.size()) == bytes);
    QCOMPARE(code(client_->write(id, 0, bytes)), ErrorCode::read_only);
    QCOMPARE(code(client_->rotate_key(id)), ErrorCode::read_only);
}

void Encryption::contents_and_mappings_outlive_a_killed_manager() {
    for (const auto level : {SecurityLevel::high, SecurityLevel::maximum}) {
        const auto id = allocate(2 * kChunk, level);
        const auto mapped = client_->map(id, AccessMode::read_write);
        mapped->data[kChunk] = std::byte{1};
        QVERIFY(client_->flush(*mapped));
        mapped->data[0] = std::byte{2};
        QVERIFY(service_->restart_after_kill());
        QCOMPARE(read(id, kChunk, 1)[0], std::byte{1});
        QVERIFY(client_->flush(*mapped));
        QCOMPARE(read(id, 0, 1)[0], std::byte{2});
        QVERIFY(client_->unmap(*mapped));
    }
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Encryption::a_key_is_rotated_while_two_write() {
    const auto id = allocate(8 * kChunk, SecurityLevel::maximum);
    std::vector<std::unique_ptr<Peer>> workers;
    for (const char* half : {"0", "1"}) {
        workers.push_back(peer({"worker", name(id), half}));
        QCOMPARE(workers.back()->line(), "ready");
    }
    for (std::uint32_t version = 2; version < 32; ++version) {
        const auto rotated = client_->rotate_key(id);
        QVERIFY2(rotated, rotated ? "" : rotated.error().sentence().c_str());
        QCOMPARE(*rotated, version);
    }
    for (auto& worker : workers) {
        const auto said = worker->ask("enough");
        QVERIFY2(said.startsWith("done"), qPrintable(said));
        QVERIFY(said.section(' ', 1).toInt() > 0);
        QCOMPARE(worker->wait().status, 0);
    }
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Encryption::a_writer_that_is_killed_leaves_a_whole_version() {
    constexpr int kKills = 300;
    const auto size = 8 * kChunk;
    const auto id = allocate(size);
    std::mt19937 random(20'240);
    std::uint64_t last = 0, seen = 0;
    for (int kill = 0; kill < kKills; ++kill) {
        auto writer = peer({"writer", name(id)});
        QCOMPARE(writer->line(), "ready");
        // As many rounds as it takes to be somewhere else each time.
        const int rounds = static_cast<int>(random() % 4);
        std::uint64_t told = last;
        for (int i = 0; i < rounds; ++i) told = writer->line().toULongLong();
        const auto moment = random() % 3000;
        const auto start = monotonic_nanos();
        while (monotonic_nanos() - start < static_cast<std::int64_t>(moment) * 1000) {
        }
        const auto rest = writer->end(SIGKILL).out.split('\n', Qt::SkipEmptyParts);
        // The last line may have been cut off.
        if (rest.size() > 1) told = rest.at(rest.size() - 2).toULongLong();
        const auto bytes = read(id, 0, size);
        std::uint64_t value = 0;
        std::memcpy(&value, bytes.data(), sizeof value);
        for (std::size_t at = 0; at < size; at += sizeof value)
            QVERIFY(std::memcmp(bytes.data() + at, &value, sizeof value) == 0);
        QVERIFY2(value >= told && value >= last,
                 qPrintable(QString("%1 is there, %2 was committed").arg(value).arg(told)));
        seen += value != last ? 1 : 0;
        last = value;
    }
    QVERIFY(seen > kKills / 4);
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Encryption::a_program_without_the_module_is_told_so() {
    // A copy of the program, alone in a directory.
    const auto alone = service_->host().path("alone");
    QVERIFY(QDir().mkpath(alone));
    const auto program = alone + "/program";
    QVERIFY(QFile::copy(QCoreApplication::applicationFilePath(), program));
    const auto id = allocate(100);
    Peer lonely(program, {"worker", name(id), "0"},
                service_->host().environment(service_->instance()));
    const auto said = lonely.line();
    QVERIFY2(said.contains("libsnakepit_shm_crypto.so"), qPrintable(said));
    QCOMPARE(lonely.wait().status, 1);
}

int main(int argc, char** argv) {
    return run_test_or_role<Encryption>(argc, argv);
}
#include "moc_encryption_fixture.cpp"
#include "tst_encryption.moc"

// SPDX-License-Identifier: MIT
// Encrypted regions, and those who should not change or see what is in them.
#include <unistd.h>

#include <QDirIterator>
#include <functional>

#include "client/connection.h"
#include "crypto/encrypted_chunks.h"
#include "encryption_fixture.h"
#include "platform/mapped_file.h"

using namespace snakepit::shm;
using namespace snakepit::shm::test;

class EncryptionAttacks : public EncryptionTest {
    Q_OBJECT

  private Q_SLOTS:
    void damage_is_found_and_the_region_isolated_data();
    void damage_is_found_and_the_region_isolated();
    void who_lies_about_damage_isolates_nothing();
    void who_was_not_granted_a_region_gets_no_key();
    void a_commit_needs_the_lock_and_the_version_it_follows();
    void nobody_else_finds_the_contents_data();
    void nobody_else_finds_the_contents();

  private:
    static wire::RequestT about(const RegionId& id, const QString& what);
};

// -------------------------------------------------------------------- damage

struct Tampering {
    // What the segment held before the last two writes, and now; what it is made to hold.
    std::function<QByteArray(QByteArray older, QByteArray now, const layout::EncryptedLayout&)>
        change;
};
Q_DECLARE_METATYPE(Tampering)

void EncryptionAttacks::damage_is_found_and_the_region_isolated_data() {
    using layout::EncryptedLayout;
    QTest::addColumn<Tampering>("tampering");
    QTest::addColumn<QString>("named");
    QTest::addColumn<bool>("by_health");
    const auto row = [](const char* what, const char* named, bool by_health, auto change) {
        QTest::newRow(what) << Tampering{change} << QString(named) << by_health;
    };
    const auto replaced = [](QByteArray in, std::uint64_t at, const QByteArray& by) {
        return in.replace(static_cast<qsizetype>(at), by.size(), by);
    };
    const auto part = [](const QByteArray& of, std::uint64_t at, std::uint64_t size) {
        return of.mid(static_cast<qsizetype>(at), static_cast<qsizetype>(size));
    };
    // Three writes: the first and the third are in the first cells, and in table 1.
    row("one bit of a chunk", "chunk 1 ", false,
        [](const QByteArray&, QByteArray now, const EncryptedLayout& layout) {
            const auto at = static_cast<qsizetype>(layout.cell(1, 1) + 1000);
            now[at] = static_cast<char>(now[at] ^ 4);
            return now;
        });
    row("two chunks swapped", "chunk 0 ", false,
        [=](const QByteArray&, const QByteArray& now, const EncryptedLayout& layout) {
            const auto a = part(now, layout.cell(0, 1), kChunk);
            const auto b = part(now, layout.cell(1, 1), kChunk);
            return replaced(replaced(now, layout.cell(0, 1), b), layout.cell(1, 1), a);
        });
    row("an older chunk", "chunk 2 ", false,
        [=](const QByteArray& older, const QByteArray& now, const EncryptedLayout& layout) {
            return replaced(now, layout.cell(2, 1), part(older, layout.cell(2, 1), 100));
        });
    row("an older chunk and its entry", "table", true,
        [=](const QByteArray& older, const QByteArray& now, const EncryptedLayout& layout) {
            const auto entry = layout.table(1) + 2 * sizeof(layout::ChunkEntry);
            return replaced(replaced(now, layout.cell(2, 1), part(older, layout.cell(2, 1), 100)),
                            entry, part(older, entry, sizeof(layout::ChunkEntry)));
        });
    row("one bit of the table", "table", true,
        [](const QByteArray&, QByteArray now, const EncryptedLayout& layout) {
            const auto at = static_cast<qsizetype>(layout.table(1) + 20);
            now[at] = static_cast<char>(now[at] ^ 1);
            return now;
        });
    row("the whole of an older version", "table", true,
        [](const QByteArray& older, const QByteArray&, const EncryptedLayout&) { return older; });
    row("nothing but zeros", "table", true,
        [](const QByteArray&, const QByteArray& now, const EncryptedLayout&) {
            return QByteArray(now.size(), '\0');
        });
}

void EncryptionAttacks::damage_is_found_and_the_region_isolated() {
    QFETCH(Tampering, tampering);
    QFETCH(QString, named);
    QFETCH(bool, by_health);
    for (const bool told_by_reader : {true, false}) {
        if (!told_by_reader && !by_health) continue;
        const auto size = 2 * kChunk + 100;
        const auto id = allocate(size);
        QVERIFY(client_->write(id, 0, pattern(size, 1)));
        const auto older = segment(id);
        QVERIFY(client_->write(id, 0, pattern(size, 2)));
        QVERIFY(client_->write(id, 0, pattern(size, 3)));
        const auto mapped = client_->map(id, AccessMode::read_only);
        QVERIFY(mapped);
        put(id, 0, tampering.change(older, segment(id), layout::EncryptedLayout(size)));
        if (told_by_reader) {
            std::vector<std::byte> out(size);
            const auto refused = client_->read(id, 0, out);
            QCOMPARE(code(refused), ErrorCode::corruption_detected);
            const auto sentence = QString::fromStdString(refused.error().sentence());
            QVERIFY2(sentence.contains(name(id)) && sentence.contains(named), qPrintable(sentence));
        }
        // It says so, after it has looked for itself.
        QTRY_COMPARE_WITH_TIMEOUT(
            (service_->cli({"health"}).status,
             service_->cli_json({"info", name(id)}).value("state").toString()),
            QString("damaged"), kPatienceMs);
        QCOMPARE(service_->cli({"health"}).status, 5);
        QCOMPARE(code(client_->write(id, 0, pattern(size, 4))), ErrorCode::corruption_detected);
        QCOMPARE(code(client_->refresh(*mapped)), ErrorCode::corruption_detected);
        auto other = ManagerClient::connect();
        QCOMPARE(code((*other)->map(id, AccessMode::read_only)), ErrorCode::corruption_detected);
        QVERIFY(QTest::qWaitFor(
            [&] {
                return !service_->cli_json({"events", "--kind", "damaged", "--region", name(id)})
                            .value("events")
                            .toArray()
                            .isEmpty();
            },
            kPatienceMs));
        QVERIFY(client_->unmap(*mapped));
        QVERIFY(client_->deallocate(id));
    }
}

wire::RequestT EncryptionAttacks::about(const RegionId& id, const QString& what) {
    auto key = std::make_unique<wire::RegionKey>(to_wire(id));
    wire::RequestT request;
    if (what == "map") {
        wire::MapT call;
        call.id = std::move(key);
        call.access = 1;
        request.call.Set(std::move(call));
    } else if (what == "read") {
        wire::EncryptedReadT call;
        call.id = std::move(key);
        request.call.Set(std::move(call));
    } else if (what == "report") {
        wire::EncryptedReportT call;
        call.id = std::move(key);
        request.call.Set(std::move(call));
    } else if (what == "lock") {
        wire::LockT call;
        call.id = std::move(key);
        call.mode = 1;
        call.thread = 1;
        call.request = 1;
        request.call.Set(std::move(call));
    } else {
        wire::EncryptedCommitT call;
        call.id = std::move(key);
        call.expected = what.section(' ', 1, 1).toULongLong();
        call.key_version = what.section(' ', 2, 2).toUInt();
        call.root.resize(32);
        call.public_key.resize(32);
        call.signature.resize(64);
        request.call.Set(std::move(call));
    }
    return request;
}

void EncryptionAttacks::who_lies_about_damage_isolates_nothing() {
    const auto id = allocate(4 * kChunk);
    QVERIFY(client_->write(id, 0, pattern(4 * kChunk, 1)));
    auto liar = Connection::open({});
    QVERIFY(liar);
    QCOMPARE(code((*liar)->call(about(id, "report"))), ErrorCode::permission_denied);
    QVERIFY((*liar)->call(about(id, "map")));
    for (int lie = 0; lie < 50; ++lie) QVERIFY((*liar)->call(about(id, "report")));
    QCOMPARE(client_->info(id)->state, RegionState::live);
    QVERIFY(read(id, 0, 4 * kChunk) == pattern(4 * kChunk, 1));
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void EncryptionAttacks::who_was_not_granted_a_region_gets_no_key() {
    const auto id = allocate(100);
    auto stranger = Connection::open({});
    QCOMPARE(code((*stranger)->call(about(id, "read"))), ErrorCode::permission_denied);
    QVERIFY((*stranger)->call(about(id, "map")));
    {
        const auto told = (*stranger)->call(about(id, "read"));
        QVERIFY(told && told->reply.answer.AsEncryptedVersion());
        QCOMPARE(told->reply.answer.AsEncryptedVersion()->key.size(), kKeyBytes);
    }
    auto watcher = Connection::open({.lease = false});
    QCOMPARE(code((*watcher)->call(about(id, "read"))), ErrorCode::permission_denied);
    const auto plain = client_->allocate(100);
    QCOMPARE(code((*stranger)->call(about(*plain, "read"))), ErrorCode::invalid_argument);
}

void EncryptionAttacks::a_commit_needs_the_lock_and_the_version_it_follows() {
    const auto id = allocate(100);
    QVERIFY(client_->write(id, 0, pattern(100, 1)));
    auto writer = Connection::open({});
    QVERIFY((*writer)->call(about(id, "map")));
    QCOMPARE(code((*writer)->call(about(id, "commit 1 1"))), ErrorCode::not_held);
    QVERIFY((*writer)->call(about(id, "lock")));
    QCOMPARE(code((*writer)->call(about(id, "commit 0 1"))), ErrorCode::invalid_argument);
    QCOMPARE(code((*writer)->call(about(id, "commit 2 1"))), ErrorCode::invalid_argument);
    QCOMPARE(code((*writer)->call(about(id, "commit 1 3"))), ErrorCode::invalid_argument);
    QVERIFY(read(id, 0, 100) == pattern(100, 1));
    // One that says what is not there is a writer's right; who reads finds it out.
    QVERIFY((*writer)->call(about(id, "commit 1 1")));
    std::vector<std::byte> out(100);
    QCOMPARE(code(client_->read(id, 0, out)), ErrorCode::corruption_detected);
    const auto signed_id = allocate(100, SecurityLevel::maximum);
    QVERIFY((*writer)->call(about(signed_id, "map")));
    QVERIFY((*writer)->call(about(signed_id, "lock")));
    QCOMPARE(code((*writer)->call(about(signed_id, "commit 0 1"))), ErrorCode::security_violation);
}

// -------------------------------------------------------------------- secrecy

namespace {

// Of everything another process could read in that one's memory.
bool in_memory_of(qint64 pid, const QByteArray& what) {
    QFile maps(QString("/proc/%1/maps").arg(pid));
    QFile memory(QString("/proc/%1/mem").arg(pid));
    if (!maps.open(QIODevice::ReadOnly) || !memory.open(QIODevice::ReadOnly))
        qFatal("cannot look into process %lld", pid);
    for (const auto& line : maps.readAll().split('\n')) {
        const auto words = line.simplified().split(' ');
        if (words.size() < 2 || !words.at(1).startsWith('r') || line.endsWith("[vvar]")) continue;
        const auto range = words.at(0).split('-');
        const auto begin = range.at(0).toULongLong(nullptr, 16);
        const auto end = range.at(1).toULongLong(nullptr, 16);
        // Files that are mapped far beyond their end are looked at as files.
        if (end - begin > (1ULL << 30) || begin > (1ULL << 62)) continue;
        if (!memory.seek(static_cast<qint64>(begin))) continue;
        if (memory.read(static_cast<qint64>(end - begin)).contains(what)) return true;
    }
    return false;
}

QString file_with(const QString& directory, const QByteArray& what) {
    for (QDirIterator it(directory, QDir::Files | QDir::Hidden | QDir::System,
                         QDirIterator::Subdirectories);
         it.hasNext();) {
        QFile file(it.next());
        if (!file.open(QIODevice::ReadOnly)) continue;
        // Some are sparse, and sixteen GiB long.
        const Handle handle(::dup(file.handle()));
        for (const auto& range : data_ranges(handle, static_cast<std::uint64_t>(file.size())))
            if (file.seek(static_cast<qint64>(range.offset)) &&
                file.read(static_cast<qint64>(range.size)).contains(what))
                return file.fileName();
    }
    return {};
}

// The kernel's own where it leaves one in the directory, else as a debugger takes it.
QString dump(Peer& process, const QString& directory) {
    QFile pattern("/proc/sys/kernel/core_pattern");
    const auto where = pattern.open(QIODevice::ReadOnly) ? pattern.readAll() : QByteArray("|");
    const auto pid = process.pid();
    if (!where.startsWith('|') && !where.contains('/')) {
        process.say("abort");
        (void)process.wait();
    } else if (QProcess::execute("gcore", {"-o", directory + "/core", QString::number(pid)}) != 0) {
        return {};
    }
    const auto found = QDir(directory).entryList({"*core*"}, QDir::Files);
    return found.isEmpty() ? QString() : directory + "/" + found.first();
}

}  // namespace

void EncryptionAttacks::nobody_else_finds_the_contents_data() {
    QTest::addColumn<int>("level");
    QTest::newRow("high") << static_cast<int>(SecurityLevel::high);
    QTest::newRow("maximum") << static_cast<int>(SecurityLevel::maximum);
}

void EncryptionAttacks::nobody_else_finds_the_contents() {
    QFETCH(int, level);
    const auto plain = client_->allocate(4 * kChunk);
    const auto id = allocate(4 * kChunk, static_cast<SecurityLevel>(level));
    const auto dumps = service_->host().path("dumps");
    QVERIFY(QDir().mkpath(dumps));
    const auto idler = peer({"idler"});
    QCOMPARE(idler->line(), "ready");
    // What is looked for is found where it may be: in the clear in a region of level standard.
    const auto open = peer({"holder", name(*plain), "1", dumps});
    QCOMPARE(open->line(), "ready");
    const auto shown = marker(1);
    QVERIFY(!file_with(service_->host().path("segments"), shown).isEmpty());
    QVERIFY(in_memory_of(open->pid(), shown));

    const auto holder = peer({"holder", name(id), "2", dumps});
    QCOMPARE(holder->line(), "ready");
    const auto secret = marker(2);
    QVERIFY(in_memory_of(holder->pid(), secret));
    QVERIFY(!in_memory_of(service_->pid(), secret));
    QVERIFY(!in_memory_of(idler->pid(), secret));
    for (const QString directory : {"segments", "runtime", "state"})
        QCOMPARE(file_with(service_->host().path(directory), secret), QString());
    QVERIFY(read(id, 0, 64) ==
            std::vector<std::byte>(reinterpret_cast<const std::byte*>(secret.constData()),
                                   reinterpret_cast<const std::byte*>(secret.constData()) + 64));

    const auto core = dump(*holder, dumps);
    if (core.isEmpty()) QSKIP("neither the kernel nor gcore leaves a core dump here");
    QFile file(core);
    QVERIFY(file.open(QIODevice::ReadOnly) && file.size() > 100'000);
    const auto image = file.readAll();
    QVERIFY(image.contains("libsnakepit_shm_crypto.so"));  // it is that process
    QVERIFY(!image.contains(secret));
    // Nor its key, with which the segment could be read.
    const auto instance = InstanceKey::load(
        (service_->host().state_dir(service_->instance()) + "/instance.key").toStdString());
    QVERIFY(instance);
    QByteArray key(kKeyBytes, '\0');
    QVERIFY(
        derive_region_key(*instance, id, 1, {reinterpret_cast<std::byte*>(key.data()), kKeyBytes}));
    QVERIFY(!image.contains(key));
    QCOMPARE(file_with(service_->host().path("segments"), key), QString());
    QCOMPARE(file_with(service_->host().path("runtime"), key), QString());
}

int main(int argc, char** argv) {
    return run_test_or_role<EncryptionAttacks>(argc, argv);
}
#include "moc_encryption_fixture.cpp"
#include "tst_encryption_attacks.moc"

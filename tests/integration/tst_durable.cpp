// SPDX-License-Identifier: MIT
// What outlives a reboot, what nobody can change any more, and what there is no room for: by the
// command line.
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QRandomGenerator>
#include <QtTest>

#include "service_fixture.h"

using namespace snakepit::shm::test;

class Durable : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup() { service_.reset(); }

    void contents_and_description_survive_a_reboot();
    void what_is_not_durable_is_gone_after_a_reboot();
    void a_sealed_durable_region_is_still_sealed_after_a_reboot();
    void a_deallocated_durable_region_does_not_come_back();
    void a_sealed_region_can_be_read_and_not_written();
    void a_region_that_is_held_is_sealed_when_it_is_let_go();
    void parts_are_read_and_written();
    void reading_and_writing_say_what_is_wrong_data();
    void reading_and_writing_say_what_is_wrong();
    void more_than_fits_is_refused_and_says_how_much_was_written();
    void what_others_may_see_is_not_pooled();
    void huge_pages_are_used_or_it_says_why_not();
    void more_than_the_shared_memory_has_is_refused_with_a_remedy();

  private:
    QString allocate(const QStringList& words) {
        return service_->cli_json(QStringList{"allocate"} + words).value("id").toString();
    }
    // With redirections, as a person types it; $CLI is the program.
    Finished shell(const QString& line) {
        auto environment = service_->host().environment(service_->instance());
        environment.insert("CLI", QCoreApplication::applicationDirPath() + "/snakepit-shm");
        return Peer("sh", {"-c", line}, environment).wait();
    }
    QString path(const QString& name) const { return service_->host().path(name); }
    Finished write(const QString& id, const QByteArray& content, const QString& words = {}) {
        QFile file(path("in"));
        if (!file.open(QIODevice::WriteOnly) || file.write(content) != content.size()) return {};
        file.close();
        return shell(QString("$CLI write %1 %2 --json < %3").arg(id, words, path("in")));
    }
    QByteArray read(const QString& id, const QString& words = {}) {
        if (shell(QString("$CLI read %1 %2 > %3").arg(id, words, path("out"))).status != 0)
            return "not read";
        QFile file(path("out"));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray("not read");
    }
    QJsonObject info(const QString& id) { return service_->cli_json({"info", id}); }
    int regions() { return int(service_->cli_json({"list"}).value("regions").toArray().size()); }
    void reboot();
    std::unique_ptr<Service> service_;
};

namespace {

constexpr int kBytes = 3'000'001;  // no whole number of pages

QByteArray some_bytes(int size) {
    QByteArray out(size, Qt::Uninitialized);
    QRandomGenerator random(4711);
    for (auto& byte : out) byte = static_cast<char>(random.generate());
    return out;
}

// What describes a region, without what using it changes.
QJsonObject description(QJsonObject info) {
    for (const auto* key :
         {"last_accessed", "access_count", "references", "reference_count", "mapped_addresses"})
        info.remove(key);
    return info;
}

}  // namespace

void Durable::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
}

// What a reboot leaves is the state directory.
void Durable::reboot() {
    service_->kill();
    QVERIFY(QDir(path("runtime")).removeRecursively());
    QVERIFY(QDir().mkpath(path("runtime")));
    for (const auto& name : service_->host().segments())
        QVERIFY(QFile::remove(path("segments/" + name)));
    QVERIFY(service_->start());
}

void Durable::contents_and_description_survive_a_reboot() {
    const auto id = allocate({QString::number(kBytes), "--durable", "--metadata", "name=kept",
                              "--cleanup-policy", "manual", "--group", "ro"});
    const auto content = some_bytes(kBytes);
    QCOMPARE(write(id, content).status, 0);
    const auto before = info(id);
    QCOMPARE(before.value("durable").toBool(), true);
    QVERIFY(service_->host().segments().isEmpty());
    for (int i = 0; i < 2; ++i) {
        reboot();
        QCOMPARE(regions(), 1);
        QCOMPARE(description(info(id)), description(before));
        QCOMPARE(read(id), content);
    }
    QCOMPARE(write(id, "changed").status, 0);
    reboot();
    QCOMPARE(read(id, "--size 7"), QByteArray("changed"));
    QCOMPARE(read(id, "--offset 7"), content.mid(7));
    QVERIFY(service_->cli({"events", "--region", id}).out.contains("durable_restored"));
    QCOMPARE(service_->cli({"health"}).status, 0);
}

void Durable::what_is_not_durable_is_gone_after_a_reboot() {
    allocate({"64KiB"});
    allocate({"64KiB", "--placement", "dedicated"});
    const auto kept = allocate({"64KiB", "--durable"});
    QCOMPARE(regions(), 3);
    reboot();
    QCOMPARE(regions(), 1);
    QCOMPARE(info(kept).value("state").toString(), "live");
}

void Durable::a_sealed_durable_region_is_still_sealed_after_a_reboot() {
    const auto id = allocate({QString::number(kBytes), "--durable"});
    const auto content = some_bytes(kBytes);
    QCOMPARE(write(id, content).status, 0);
    QCOMPARE(service_->cli_json({"seal", id}).value("sealed").toBool(), true);
    reboot();
    QCOMPARE(info(id).value("sealed").toBool(), true);
    QCOMPARE(read(id), content);
    QCOMPARE(write(id, "x").error().value("code").toString(), "read_only");
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QVERIFY(QDir(service_->host().state_dir(service_->instance()) + "/durable").isEmpty());
}

void Durable::a_deallocated_durable_region_does_not_come_back() {
    const auto id = allocate({"64KiB", "--durable"});
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
    QVERIFY(QDir(service_->host().state_dir(service_->instance()) + "/durable").isEmpty());
    reboot();
    QCOMPARE(regions(), 0);
}

// -------------------------------------------------------------------- sealed

void Durable::a_sealed_region_can_be_read_and_not_written() {
    const auto id = allocate({QString::number(kBytes)});
    const auto content = some_bytes(kBytes);
    QCOMPARE(write(id, content).status, 0);
    QCOMPARE(service_->cli_json({"seal", id}).value("sealed").toBool(), true);
    QCOMPARE(info(id).value("sealed").toBool(), true);
    QCOMPARE(info(id).value("placement").toString(), "dedicated");
    const auto refused = write(id, "x");
    QCOMPARE(refused.error().value("code").toString(), "read_only");
    QVERIFY(!refused.error().value("remedy").toString().isEmpty());
    QVERIFY(refused.status != 0);
    QCOMPARE(read(id), content);
    // The arena it was in goes after its grace period.
    QTRY_COMPARE_WITH_TIMEOUT(service_->host().segments().size(), 0, kPatienceMs);
    QVERIFY(info(id).value("platform_handle").toString().startsWith("memfd:"));
    QCOMPARE(service_->cli({"seal", id}).status, 0);
    QVERIFY(service_->restart_after_kill());
    QCOMPARE(read(id), content);
    QCOMPARE(write(id, "x").error().value("code").toString(), "read_only");
}

void Durable::a_region_that_is_held_is_sealed_when_it_is_let_go() {
    const auto id = allocate({"64KiB"});
    // It holds the region while it waits for more to write.
    auto writer = service_->cli_peer({"write", id});
    QTRY_COMPARE_WITH_TIMEOUT(info(id).value("reference_count").toInt(), 1, kPatienceMs);
    QCOMPARE(service_->cli_json({"seal", id}).value("sealed").toBool(true), false);
    QCOMPARE(write(id, "x").error().value("code").toString(), "read_only");
    writer->say("the last words");
    QCOMPARE(writer->wait().status, 0);
    QTRY_COMPARE_WITH_TIMEOUT(info(id).value("sealed").toBool(), true, kPatienceMs);
    QCOMPARE(read(id, "--size 14"), QByteArray("the last words"));
}

// ------------------------------------------------------------ read and write

void Durable::parts_are_read_and_written() {
    const auto id = allocate({"10"});
    QCOMPARE(write(id, "0123456789").json().value("written").toInt(), 10);
    QCOMPARE(write(id, "abc", "--offset 4").json().value("written").toInt(), 3);
    QCOMPARE(read(id), QByteArray("0123abc789"));
    QCOMPARE(read(id, "--offset 8"), QByteArray("89"));
    QCOMPARE(read(id, "--offset 3 --size 2"), QByteArray("3a"));
    QCOMPARE(read(id, "--offset 10"), QByteArray());
    QCOMPARE(write(id, {}).json().value("written").toInt(-1), 0);
}

void Durable::reading_and_writing_say_what_is_wrong_data() {
    QTest::addColumn<QString>("words");
    QTest::addColumn<int>("status");
    QTest::addColumn<QString>("code");
    QTest::addColumn<QString>("said");
    const QString unknown = "shm_1700000000000000_0123456789abcdef";
    for (const QString verb : {"read", "write", "seal"}) {
        QTest::addRow("%s unknown", qPrintable(verb))
            << verb + ' ' + unknown << 1 << "region_not_found" << unknown;
        QTest::addRow("%s no id", qPrintable(verb))
            << verb + " shm_nonsense" << 2 << "invalid_region_id"
            << "nonsense";
        QTest::addRow("%s no name", qPrintable(verb))
            << verb + " nonsense" << 1 << "region_not_found"
            << "nonsense";
    }
    QTest::newRow("read past the end") << "read ID --offset 11" << 2 << "invalid_argument"
                                       << "10 bytes";
    QTest::newRow("write past the end") << "write ID --offset 11" << 2 << "invalid_argument"
                                        << "10 bytes";
}

void Durable::reading_and_writing_say_what_is_wrong() {
    QFETCH(QString, words);
    QFETCH(int, status);
    QFETCH(QString, code);
    QFETCH(QString, said);
    const auto id = allocate({"10"});
    const auto done = shell("$CLI " + words.replace("ID", id) + " --json < /dev/null");
    QCOMPARE(done.status, status);
    QCOMPARE(done.error().value("code").toString(), code);
    QVERIFY2(done.error().value("message").toString().contains(said), qPrintable(done.err));
    QVERIFY(!done.error().value("remedy").toString().isEmpty());
    QVERIFY(done.out.isEmpty());
}

void Durable::more_than_fits_is_refused_and_says_how_much_was_written() {
    const auto id = allocate({"10"});
    const auto done = write(id, "0123456789a");
    QCOMPARE(done.status, 1);
    QCOMPARE(done.error().value("code").toString(), "size_exceeds_limit");
    QVERIFY2(done.error().value("message").toString().contains("first 10"), qPrintable(done.err));
    QCOMPARE(read(id), QByteArray("0123456789"));
    QCOMPARE(write(id, "abcd", "--offset 8").status, 1);
    QCOMPARE(write(id, "abcd", "--size 3").status, 1);
    QCOMPARE(read(id), QByteArray("abc34567ab"));
}

// --------------------------------------------------------- where regions live

void Durable::what_others_may_see_is_not_pooled() {
    const auto refused =
        service_->cli({"allocate", "4KiB", "--placement", "pooled", "--other", "ro", "--json"});
    QCOMPARE(refused.status, 2);
    QCOMPARE(refused.error().value("code").toString(), "invalid_argument");
    QVERIFY(refused.error().value("message").toString().contains("only their user"));
    QVERIFY(refused.error().value("remedy").toString().contains("placement"));
    QCOMPARE(regions(), 0);
    QCOMPARE(info(allocate({"4KiB", "--other", "ro"})).value("placement").toString(), "dedicated");
    QCOMPARE(info(allocate({"4KiB"})).value("placement").toString(), "pooled");
}

void Durable::huge_pages_are_used_or_it_says_why_not() {
    const auto huge = [&] { return service_->cli_json({"status"}).value("huge_pages").toObject(); };
    QCOMPARE(huge().value("wanted").toBool(true), false);
    QCOMPARE(service_->stop(), 0);
    QFile file(service_->host().config_file());
    QVERIFY(file.open(QIODevice::WriteOnly | QIODevice::Truncate));
    file.write("[shared_memory.platform_options.linux]\nuse_hugepages = true\nshm_path = \"" +
               path("segments").toUtf8() + "\"\n");
    file.close();
    QVERIFY(service_->start());
    const auto id = allocate({"5MiB"});
    const auto content = some_bytes(5 << 20);
    QCOMPARE(write(id, content).status, 0);
    QCOMPARE(read(id), content);
    const auto state = huge();
    QCOMPARE(state.value("wanted").toBool(), true);
    const auto problem = state.value("problem").toString();
    qInfo("huge pages: %s", problem.isEmpty() ? "used" : qPrintable(problem));
    QCOMPARE(state.value("used").toBool(), problem.isEmpty());
    const auto said = service_->cli({"status", "--all"}).out;
    QVERIFY2(said.contains(problem.isEmpty() ? "used" : "not used: " + problem), qPrintable(said));
    QCOMPARE(service_->cli({"deallocate", id}).status, 0);
}

// In a mount namespace of its own the service finds a file system of 8 MiB at shm_path.
void Durable::more_than_the_shared_memory_has_is_refused_with_a_remedy() {
    QCOMPARE(service_->stop(), 0);
    const QStringList spaces = ::geteuid() == 0 ? QStringList{"-m"} : QStringList{"-U", "-r", "-m"};
    const auto environment = service_->host().environment(service_->instance());
    if (Peer("unshare", spaces + QStringList{"true"}, environment).wait().status != 0)
        QSKIP("this machine lets nobody have mounts of their own: no small file system to try");
    Peer serve(
        "unshare",
        spaces + QStringList{"sh", "-c",
                             QString("mount -t tmpfs -o size=8m none %1 && exec "
                                     "%2/snakepit-shm serve")
                                 .arg(path("segments"), QCoreApplication::applicationDirPath())},
        environment);
    QVERIFY(serve.line().contains("serving instance"));
    QStringList ids;
    for (const QString placement : {"pooled", "dedicated"}) {
        ids += allocate({"2MiB", "--placement", placement});
        const auto refused =
            service_->cli({"allocate", "16MiB", "--placement", placement, "--json"});
        QCOMPARE(refused.status, 1);
        QCOMPARE(refused.error().value("code").toString(), "no_space");
        QVERIFY(!refused.error().value("remedy").toString().isEmpty());
    }
    // Until it is full: what was given can be filled to its last byte.
    for (auto id = allocate({"1MiB"}); !id.isEmpty(); id = allocate({"1MiB"})) ids += id;
    QVERIFY(ids.size() >= 4);
    QCOMPARE(regions(), int(ids.size()));
    for (const auto& id : ids) {
        const auto content = some_bytes(int(info(id).value("size").toInteger()));
        QCOMPARE(write(id, content).status, 0);
        QCOMPARE(read(id), content);
    }
    QCOMPARE(service_->cli(QStringList{"deallocate"} + ids).status, 0);
    QVERIFY(!allocate({"4MiB"}).isEmpty());
    QCOMPARE(serve.end(SIGTERM).status, 0);
    QVERIFY(service_->start());
}

QTEST_GUILESS_MAIN(Durable)
#include "tst_durable.moc"

// SPDX-License-Identifier: MIT
// A bundle has what helps and nothing that is secret, and opens elsewhere.
#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QProcess>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <QtTest>

#include "diagnostics/bundle_reader.h"
#include "events/event_reader.h"
#include "keeper.h"
#include "layout/grants_layout.h"
#include "layout/registry_reader.h"
#include "service_fixture.h"

using namespace snakepit::shm;
using test::Peer;
using test::Service;

namespace {

constexpr auto kContents = "CONTENTS-OF-A-REGION-1f6b";
constexpr auto kMetadata = "METADATA-OF-A-REGION-77aa";
constexpr auto kHookSecret = "HOOK-SECRET-93cd";

QByteArray bytes_of(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

// 0 also while there is no such database.
int samples_in(const QString& file) {
    try {
        SQLite::Database database(file.toStdString());
        return database.execAndGet("SELECT count(*) FROM samples_1s").getInt();
    } catch (const SQLite::Exception&) {
        return 0;
    }
}

}  // namespace

class Diagnose : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init();
    void cleanup();
    void a_bundle_of_a_running_manager_opens_elsewhere();
    void a_bundle_has_the_figures_and_the_host();
    void a_bundle_needs_no_manager();
    void nothing_secret_is_in_a_bundle();
    void metadata_is_taken_along_only_when_asked();
    void only_the_newest_events_are_taken_when_so_asked();
    void what_cannot_be_had_is_left_out_and_said();
    void a_file_that_is_there_stays_unless_forced();
    void a_full_disk_leaves_nothing_behind();
    void the_sqlite_program_lists_and_extracts_it();
    void a_truncated_bundle_is_refused();

  private:
    QString bundle() const { return service_->host().path("bundle"); }
    test::Finished diagnose(const QStringList& more = {}) const {
        return service_->cli(QStringList{"diagnose", "-o", bundle(), "--json"} + more);
    }
    // Everything in it, unpacked.
    static QByteArray everything(const QString& file);
    void write(const QString& id) const;

    std::unique_ptr<Service> service_;
    std::unique_ptr<Peer> holder_;
    QString id_;
};

void Diagnose::init() {
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    id_ = service_->cli_json({"allocate", "64KiB", "--metadata", QString("note=%1").arg(kMetadata)})
              .value("id")
              .toString();
    QVERIFY(!id_.isEmpty());
    write(id_);
    holder_ =
        std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{"keeper", id_},
                               service_->host().environment(service_->instance()));
    QCOMPARE(holder_->line(), "ok");
}

void Diagnose::cleanup() {
    holder_.reset();
    service_.reset();
}

// Behind what the keeper writes at the front.
void Diagnose::write(const QString& id) const {
    QProcess writer;
    writer.setProcessEnvironment(service_->host().environment(service_->instance()));
    writer.start(QCoreApplication::applicationDirPath() + "/snakepit-shm",
                 {"write", id, "--offset", "256"});
    QVERIFY(writer.waitForStarted(test::kPatienceMs));
    writer.write(kContents);
    writer.closeWriteChannel();
    QVERIFY(writer.waitForFinished(test::kPatienceMs));
    QCOMPARE(writer.exitCode(), 0);
}

QByteArray Diagnose::everything(const QString& file) {
    auto archive = ArchiveReader::open(file.toStdString());
    if (!archive) return {};
    QByteArray out;
    for (const auto& entry : archive->entries()) {
        out += QByteArray::fromStdString(entry.name);
        if (const auto part = archive->read(entry.name)) out += QByteArray::fromStdString(*part);
    }
    return out;
}

void Diagnose::a_bundle_of_a_running_manager_opens_elsewhere() {
    const auto made = diagnose();
    QVERIFY2(made.status == 0, qPrintable(made.err));
    struct stat facts {};
    QCOMPARE(::stat(qPrintable(bundle()), &facts), 0);
    QCOMPARE(facts.st_mode & 07777U, 0600U);
    QTemporaryDir elsewhere;
    const auto moved = elsewhere.filePath("bundle");
    QVERIFY(QFile::copy(bundle(), moved));
    QFile::setPermissions(moved, QFile::ReadOwner);
    holder_.reset();
    service_.reset();  // and all files of the instance with it
    auto reader = BundleReader::open(moved.toStdString());
    QVERIFY2(reader, reader ? "" : reader.error().sentence().c_str());
    QCOMPARE(RegistryReader::open(reader->registry())->poll().changed.size(), std::size_t{1});
    QVERIFY(EventReader::open(reader->events())->query({})->size() > 1);
    QCOMPARE(reader->document("status.json")->value("regions").toInt(), 1);
    for (const auto* name : {"stats.json", "clients.json", "arenas.json", "health.json",
                             "performance.json", "host.json"})
        QVERIFY2(!reader->document(name)->isEmpty(), name);
    QVERIFY(!reader->document("performance.json")->value("operations").toArray().isEmpty());
    const auto host = reader->manifest().document["host"].toObject();
    for (const auto* field : {"kernel", "distribution", "limits", "memory_bytes", "mounts"})
        QVERIFY2(host.contains(field), field);
    QCOMPARE(QDir(elsewhere.path()).entryList(QDir::Files), QStringList{"bundle"});
}

void Diagnose::a_bundle_has_the_figures_and_the_host() {
    const auto recorded = service_->host().state_dir(service_->instance()) + "/metrics.db";
    QTRY_VERIFY_WITH_TIMEOUT(samples_in(recorded) > 0, test::kPatienceMs);
    const auto name = QString("diagnose_test_%1").arg(QCoreApplication::applicationPid());
    const int segment = ::shm_open(qPrintable('/' + name), O_CREAT | O_RDWR, 0600);
    QVERIFY(segment >= 0);
    const auto made = diagnose();
    ::close(segment);
    ::shm_unlink(qPrintable('/' + name));
    QVERIFY2(made.status == 0, qPrintable(made.err));
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY(reader);
    QVERIFY(samples_in(QString::fromStdString(reader->metrics())) > 0);
    const auto host = reader->document("host.json");
    QVERIFY(host);
    QJsonObject found;
    for (const auto& one : host->value("segments").toArray())
        if (one[u"name"] == name) found = one.toObject();
    QCOMPARE(found.value("verdict").toString(), QString("in_use"));
    // Field by field what the command prints.
    QCOMPARE(host->keys(), service_->cli_json({"host"}).keys());
}

void Diagnose::a_bundle_needs_no_manager() {
    service_->kill();
    const auto made = diagnose();
    QVERIFY2(made.status == 0, qPrintable(made.err));
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY2(reader, reader ? "" : reader.error().sentence().c_str());
    QCOMPARE(QString::fromStdString(reader->manifest().instance), service_->instance());
    QVERIFY(!reader->manifest().host.empty());

    auto registry = RegistryReader::open(reader->registry());
    QVERIFY(registry);
    const auto rows = registry->poll().changed;
    QCOMPARE(rows.size(), std::size_t{1});
    QCOMPARE(QString::fromStdString(rows.front().info.id.str()), id_);
    QCOMPARE(rows.front().info.size, std::uint64_t{65536});
    QCOMPARE(rows.front().info.state, RegionState::live);
    QCOMPARE(registry->clients().size(), std::size_t{1});

    auto events = EventReader::open(reader->events());
    QVERIFY(events);
    const auto recorded = events->query({});
    QVERIFY(recorded && !recorded->empty());
    QVERIFY(reader->document("health.json")->contains("checks"));
    QVERIFY(!reader->document("host.json")->value("segments").toArray().isEmpty());
    QVERIFY(reader->document("status.json")->isEmpty());  // nobody answered
    // What it unpacked has no name that could be left, and is for us alone.
    struct stat facts {};
    QCOMPARE(::stat(reader->registry().c_str(), &facts), 0);
    QCOMPARE(facts.st_nlink, nlink_t{0});
    QCOMPARE(facts.st_mode & 07777U, 0600U);
}

void Diagnose::nothing_secret_is_in_a_bundle() {
    const auto key = bytes_of(service_->host().state_dir(service_->instance()) + "/instance.key");
    QVERIFY(key.size() >= 32);
    // What a client's session is resumed with. The file is sparse, and huge.
    QFile grants(service_->host().runtime_dir(service_->instance()) + "/grants");
    QVERIFY(grants.open(QIODevice::ReadOnly) &&
            grants.seek(layout::GrantsOffsets::records + offsetof(layout::ClientRecord, token)));
    const auto token = grants.read(16);
    QVERIFY(token != QByteArray(16, '\0'));
    service_->host().configure("");
    {
        QFile file(service_->host().config_file());
        QVERIFY(file.open(QIODevice::Append));
        file.write(QString("[shared_memory.alerts]\nwebhook = \"https://u:%1@example.org/%1\"\n"
                           "command = [\"/bin/true\", \"%1\"]\n"
                           "password = \"%1\"\nsigning_key = \"%1\"\ntokens = [\"%1\"]\n")
                       .arg(kHookSecret)
                       .toUtf8());
    }
    const auto made = diagnose();
    QVERIFY2(made.status == 0, qPrintable(made.err));
    const auto all = everything(bundle());
    QVERIFY(all.contains(id_.toUtf8()));  // what is looked through is what was made
    QVERIFY(all.contains("example.org"));
    for (const auto& secret :
         {QByteArray(kContents), QByteArray(kMetadata), QByteArray(kHookSecret), key, key.toHex(),
          key.toHex().toUpper(), key.toBase64(), token, token.toHex(), token.toHex().toUpper(),
          token.toBase64()}) {
        QVERIFY2(!all.contains(secret), secret.toHex().constData());
        QVERIFY(!bytes_of(bundle()).contains(secret));
    }
    // The test can fail: the secrets are where it looks for them.
    QVERIFY(service_->cli({"read", id_}).out.contains(kContents));
    QVERIFY(service_->cli({"info", id_, "--json"}).out.contains(kMetadata));
}

void Diagnose::metadata_is_taken_along_only_when_asked() {
    QCOMPARE(diagnose().status, 0);
    QVERIFY(!everything(bundle()).contains(kMetadata));
    QCOMPARE(diagnose({"--force", "--with-metadata"}).status, 0);
    QVERIFY(everything(bundle()).contains(kMetadata));
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY(reader);
    const auto rows = RegistryReader::open(reader->registry())->poll().changed;
    QVERIFY(QString::fromStdString(rows.front().info.metadata).contains(kMetadata));
    // What was deallocated is in none.
    holder_->end(SIGKILL);
    QCOMPARE(service_->cli({"deallocate", id_, "--force"}).status, 0);
    QCOMPARE(service_->cli({"cleanup", "--all-eligible", "--no-quarantine"}).status, 0);
    QCOMPARE(diagnose({"--force", "--with-metadata"}).status, 0);
    QVERIFY(!everything(bundle()).contains(kMetadata));
}

void Diagnose::only_the_newest_events_are_taken_when_so_asked() {
    QTRY_VERIFY_WITH_TIMEOUT(service_->cli_json({"events"}).value("events").toArray().size() > 3,
                             test::kPatienceMs);
    service_->stop();
    const auto all = service_->cli_json({"events"}).value("events").toArray();
    QCOMPARE(diagnose({"--events", "2"}).status, 0);
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY(reader);
    const auto kept = EventReader::open(reader->events())->query({});
    QVERIFY(kept);
    QCOMPARE(kept->size(), std::size_t{2});
    QCOMPARE(kept->back().seq, all.last().toObject().value("seq").toInteger());
}

void Diagnose::what_cannot_be_had_is_left_out_and_said() {
    service_->stop();
    QVERIFY(QFile::remove(service_->host().state_dir(service_->instance()) + "/events.db"));
    QFile spoilt(service_->host().runtime_dir(service_->instance()) + "/registry");
    QVERIFY(spoilt.open(QIODevice::ReadWrite) && spoilt.write(QByteArray(64, 'x')) == 64);
    spoilt.close();
    const auto made = diagnose();
    QVERIFY2(made.status == 0, qPrintable(made.err));
    QStringList missing;
    for (const auto& gap : made.json().value("left_out").toArray()) {
        missing += gap.toObject().value("name").toString();
        QVERIFY(!gap.toObject().value("why").toString().isEmpty());
    }
    QVERIFY(missing.contains("registry") && missing.contains("events.db") &&
            missing.contains("what the manager says"));
    auto reader = BundleReader::open(bundle().toStdString());
    QVERIFY(reader);
    QVERIFY(reader->registry().empty() && reader->events().empty());
    QCOMPARE(reader->document("health.json")->value("healthy").toBool(true), false);
}

void Diagnose::a_file_that_is_there_stays_unless_forced() {
    QCOMPARE(diagnose().status, 0);
    const auto before = bytes_of(bundle());
    const auto refused = diagnose();
    QCOMPARE(refused.status, 1);
    QVERIFY(refused.err.contains("--force"));
    QCOMPARE(bytes_of(bundle()), before);
    QCOMPARE(diagnose({"--force"}).status, 0);
    QCOMPARE(service_->cli({"diagnose"}).status, 2);
}

void Diagnose::a_full_disk_leaves_nothing_behind() {
    QProcess process;
    process.setProcessEnvironment(service_->host().environment(service_->instance()));
    QVERIFY(QDir(service_->host().path("")).mkdir("small"));
    const auto program = QCoreApplication::applicationDirPath() + "/snakepit-shm";
    process.start("/bin/bash",
                  {"-c", QString("trap '' XFSZ; ulimit -f 8; exec '%1' diagnose -o '%2'")
                             .arg(program, service_->host().path("small/bundle"))});
    QVERIFY(process.waitForFinished(test::kPatienceMs));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 1);
    QVERIFY2(process.readAllStandardError().contains("was not written"), "");
    QVERIFY(QDir(service_->host().path("small")).isEmpty());
}

void Diagnose::the_sqlite_program_lists_and_extracts_it() {
    const auto program = QStandardPaths::findExecutable("sqlite3");
    if (program.isEmpty()) QSKIP("there is no sqlite3 program");
    QCOMPARE(diagnose().status, 0);
    QProcess lister;
    lister.start(program, {bundle(), "-At"});
    QVERIFY(lister.waitForFinished(test::kPatienceMs));
    const auto listed = lister.readAllStandardOutput();
    QVERIFY2(listed.contains("manifest.json") && listed.contains("events.db"), listed.constData());
    QDir(service_->host().path("")).mkdir("out");
    QProcess extractor;
    extractor.setWorkingDirectory(service_->host().path("out"));
    extractor.start(program, {bundle(), "-Ax"});
    QVERIFY(extractor.waitForFinished(test::kPatienceMs));
    QVERIFY(bytes_of(service_->host().path("out/manifest.json"))
                .contains(service_->instance().toUtf8()));
    QVERIFY(EventReader::open(service_->host().path("out/events.db").toStdString()));
}

void Diagnose::a_truncated_bundle_is_refused() {
    QCOMPARE(diagnose().status, 0);
    const auto size = QFileInfo(bundle()).size();
    for (const auto left : {size - 1, size / 2, qint64{5000}, qint64{100}}) {
        QVERIFY(QFile::resize(bundle(), left));
        const auto reader = BundleReader::open(bundle().toStdString());
        QVERIFY(!reader);
        QCOMPARE(reader.error().code, ErrorCode::corruption_detected);
    }
}

int main(int argc, char** argv) {
    if (argc == 3 && QByteArrayView(argv[1]) == "keeper") return run_keeper(argv[2]);
    QCoreApplication application(argc, argv);
    Diagnose test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_diagnose.moc"

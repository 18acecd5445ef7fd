// SPDX-License-Identifier: MIT
// The archive a bundle is: written whole or not at all, and read with suspicion.
#include <SQLiteCpp/SQLiteCpp.h>
#include <sys/stat.h>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include "diagnostics/archive.h"
#include "diagnostics/bundle_reader.h"

using namespace snakepit::shm;

class Archive : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { directory_ = std::make_unique<QTemporaryDir>(); }
    void what_was_put_in_comes_out();
    void nothing_is_left_of_one_that_was_given_up();
    void a_file_that_is_there_is_replaced_only_when_asked();
    void what_is_no_archive_is_refused_data();
    void what_is_no_archive_is_refused();
    void a_name_cannot_lead_outside_data();
    void a_name_cannot_lead_outside();
    void an_entry_is_never_larger_than_it_says();
    void an_archive_that_is_no_bundle_is_refused();
    void nothing_in_a_bundle_runs_when_it_is_read_data();
    void nothing_in_a_bundle_runs_when_it_is_read();

  private:
    std::string path(const char* name = "bundle") const {
        return directory_->filePath(name).toStdString();
    }
    // One entry as somebody else might have written it.
    void forge(const std::string& name, std::int64_t size, const std::string& data) const;

    std::unique_ptr<QTemporaryDir> directory_;
};

void Archive::forge(const std::string& name, std::int64_t size, const std::string& data) const {
    SQLite::Database database(path(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    database.exec(
        "CREATE TABLE IF NOT EXISTS sqlar(name TEXT PRIMARY KEY, mode INT, mtime INT, "
        "sz INT, data BLOB)");
    SQLite::Statement insert(database, "INSERT INTO sqlar VALUES(?1, 33152, 0, ?2, ?3)");
    insert.bind(1, name);
    insert.bind(2, size);
    insert.bind(3, data.data(), static_cast<int>(data.size()));
    insert.exec();
}

void Archive::what_was_put_in_comes_out() {
    const std::string zeros(1 << 20, '\0'), noise = "\x01\xfe\x80 no pattern";
    auto writer = ArchiveWriter::begin(path("a ?#%b"), false);
    QVERIFY(writer);
    QVERIFY(writer->add("zeros", zeros) && writer->add("dir/noise.json", noise) &&
            writer->add("empty", ""));
    QVERIFY(writer->commit());
    struct stat facts {};
    QCOMPARE(::stat(path("a ?#%b").c_str(), &facts), 0);
    QCOMPARE(facts.st_mode & 07777U, 0600U);
    QVERIFY(facts.st_size < 64 * 1024);  // zeros are packed
    auto reader = ArchiveReader::open(path("a ?#%b"));
    QVERIFY(reader);
    QCOMPARE(reader->entries().size(), std::size_t{3});
    QVERIFY(*reader->read("zeros") == zeros && *reader->read("dir/noise.json") == noise &&
            reader->read("empty")->empty());
    QCOMPARE(reader->read("else").error().code, ErrorCode::corruption_detected);
}

void Archive::nothing_is_left_of_one_that_was_given_up() {
    {
        auto writer = ArchiveWriter::begin(path(), false);
        QVERIFY(writer && writer->add("part", std::string(100'000, 'x')));
    }
    QVERIFY(QDir(directory_->path()).isEmpty());
    QVERIFY(!ArchiveWriter::begin(directory_->filePath("no/such/place").toStdString(), false));
}

void Archive::a_file_that_is_there_is_replaced_only_when_asked() {
    QFile there(directory_->filePath("bundle"));
    QVERIFY(there.open(QIODevice::WriteOnly) && there.write("precious") == 8);
    there.close();
    QVERIFY(!ArchiveWriter::begin(path(), false));
    {
        // It came while the bundle was being made.
        QVERIFY(QFile::rename(there.fileName(), there.fileName() + "x"));
        auto writer = ArchiveWriter::begin(path(), false);
        QVERIFY(writer && writer->add("part", "x"));
        QVERIFY(QFile::rename(there.fileName() + "x", there.fileName()));
        QVERIFY(!writer->commit());
    }
    QVERIFY(there.open(QIODevice::ReadOnly));
    QCOMPARE(there.readAll(), "precious");
    QCOMPARE(QDir(directory_->path()).count(), 3U);  // with . and ..
    auto writer = ArchiveWriter::begin(path(), true);
    QVERIFY(writer && writer->commit() && ArchiveReader::open(path()));
}

void Archive::what_is_no_archive_is_refused_data() {
    QTest::addColumn<QByteArray>("bytes");
    QByteArray whole("SQLite format 3\0", 16);
    QTest::newRow("nothing") << QByteArray();
    QTest::newRow("text") << QByteArray(5000, 'x');
    QTest::newRow("a header alone") << whole;
    QTest::newRow("a header and noise") << whole + QByteArray(8192, '\x7f');
}

void Archive::what_is_no_archive_is_refused() {
    QFETCH(QByteArray, bytes);
    QFile file(directory_->filePath("bundle"));
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size());
    file.close();
    const auto opened = ArchiveReader::open(path());
    QVERIFY(!opened);
    QCOMPARE(opened.error().code, ErrorCode::corruption_detected);
    QVERIFY(!ArchiveReader::open(path("absent")));
    QVERIFY(!ArchiveReader::open(directory_->path().toStdString()));
    QCOMPARE(::mkfifo(path("pipe").c_str(), 0600), 0);
    QVERIFY(!ArchiveReader::open(path("pipe")));  // does not wait for somebody to write
}

void Archive::a_name_cannot_lead_outside_data() {
    QTest::addColumn<QString>("name");
    for (const auto* name : {"/etc/passwd", "../up", "a/../b", "a//b", ".", "..", "", "a b", "a\\b",
                             "registry/..", ".hidden"})
        QTest::newRow(name) << QString(name);
}

void Archive::a_name_cannot_lead_outside() {
    QFETCH(QString, name);
    forge(name.toStdString(), 1, "x");
    const auto opened = ArchiveReader::open(path());
    QVERIFY(!opened);
    QCOMPARE(opened.error().code, ErrorCode::corruption_detected);
}

void Archive::an_entry_is_never_larger_than_it_says() {
    forge("bomb", 1'000'000'000, std::string(100, 'x'));  // would unpack to a gigabyte
    QVERIFY(!ArchiveReader::open(path()));
    QVERIFY(QFile::remove(directory_->filePath("bundle")));
    forge("negative", -1, "x");
    QVERIFY(!ArchiveReader::open(path()));
    QVERIFY(QFile::remove(directory_->filePath("bundle")));
    forge("wrong", 50, std::string(20, 'x'));
    auto reader = ArchiveReader::open(path());
    QVERIFY(reader);
    QCOMPARE(reader->read("wrong").error().code, ErrorCode::corruption_detected);
}

void Archive::an_archive_that_is_no_bundle_is_refused() {
    forge("manifest.json", 2, "{}");
    QCOMPARE(BundleReader::open(path()).error().code, ErrorCode::corruption_detected);
    QVERIFY(QFile::remove(directory_->filePath("bundle")));
    const std::string later =
        R"({"what":"snakepit-shm diagnostic bundle","format":99,"instance":"x",)"
        R"("created_at":"2024-01-01T00:00:00.000000Z"})";
    forge("manifest.json", static_cast<std::int64_t>(later.size()), later);
    QCOMPARE(BundleReader::open(path()).error().code, ErrorCode::version_mismatch);
    SQLite::Database(path(), SQLite::OPEN_READWRITE)
        .exec(
            "DROP TABLE sqlar; CREATE VIEW sqlar AS SELECT 'manifest.json' AS name, 0 AS sz, "
            "x'' AS data");
    QCOMPARE(BundleReader::open(path()).error().code, ErrorCode::corruption_detected);
}

// What would go on for ever, or want all memory there is, in place of figures.
void Archive::nothing_in_a_bundle_runs_when_it_is_read_data() {
    QTest::addColumn<QString>("sql");
    QTest::addColumn<bool>("taken");
    QTest::newRow("tables") << "CREATE TABLE t(time INTEGER PRIMARY KEY, a); CREATE INDEX i ON t(a)"
                            << true;
    QTest::newRow("a view") << "CREATE VIEW t AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL "
                               "SELECT x + 1 FROM c) SELECT x AS time FROM c"
                            << false;
    QTest::newRow("a computed column")
        << "CREATE TABLE t(time INTEGER PRIMARY KEY, a AS (zeroblob(1000000000)))" << false;
    QTest::newRow("a virtual table") << "CREATE VIRTUAL TABLE t USING rtree(a, b, c)" << false;
}

void Archive::nothing_in_a_bundle_runs_when_it_is_read() {
    QFETCH(QString, sql);
    QFETCH(bool, taken);
    SQLite::Database(path("metrics"), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE)
        .exec(sql.toStdString());
    QFile file(directory_->filePath("metrics"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    const auto bytes = file.readAll().toStdString();
    const std::string manifest =
        R"({"what":"snakepit-shm diagnostic bundle","format":1,"instance":"x",)"
        R"("created_at":"2024-01-01T00:00:00.000000Z"})";
    forge("manifest.json", static_cast<std::int64_t>(manifest.size()), manifest);
    forge("metrics.db", static_cast<std::int64_t>(bytes.size()), bytes);
    const auto opened = BundleReader::open(path());
    QCOMPARE(opened.has_value(), taken);
    if (!taken) QCOMPARE(opened.error().code, ErrorCode::corruption_detected);
}

QTEST_GUILESS_MAIN(Archive)
#include "tst_archive.moc"

// SPDX-License-Identifier: MIT
// A file that somebody named for output: whole or not at all, whoever meddles while it is written.
#include <sys/stat.h>
#include <unistd.h>

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QtTest>

#include "platform/replace_file.h"

using namespace snakepit::shm;

class TestOutputFile : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() { directory_ = std::make_unique<QTemporaryDir>(); }

    void nothing_is_seen_before_the_commit();
    void a_name_that_was_taken_meanwhile_stays();
    void a_device_that_came_meanwhile_stays();
    void a_link_that_came_meanwhile_is_not_followed();
    void a_directory_that_was_exchanged_gets_nothing();
    void links_are_followed_as_the_system_does();
    void what_was_given_up_leaves_nothing();
    void removing_takes_files_only();
    void a_stream_tells_why_it_ended();
    void a_cancelled_stream_leaves_nothing();

  private:
    QString path(const char* name) const { return directory_->filePath(name); }
    std::string str(const char* name) const { return path(name).toStdString(); }
    QByteArray contents(const char* name) const {
        QFile file(path(name));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    }
    QStringList names() const {
        return QDir(directory_->path())
            .entryList(QDir::AllEntries | QDir::Hidden | QDir::System | QDir::NoDotAndDotDot);
    }

    std::unique_ptr<QTemporaryDir> directory_;
};

void TestOutputFile::nothing_is_seen_before_the_commit() {
    auto file = OutputFile::begin(str("a"));
    QVERIFY(file && file->write("new"));
    QCOMPARE(names(), QStringList());
    QVERIFY(file->commit());
    QCOMPARE(contents("a"), QByteArray("new"));
    QVERIFY(!OutputFile::begin(str("a")));
    QVERIFY(write_output(str("a"), "newer", {.replace = true}));
    QCOMPARE(contents("a"), QByteArray("newer"));
    QCOMPARE(names(), QStringList{"a"});
}

void TestOutputFile::a_name_that_was_taken_meanwhile_stays() {
    for (const bool replace : {false, true}) {
        auto file = OutputFile::begin(str("a"), {.replace = replace});
        QVERIFY(file && file->write("ours"));
        QVERIFY(write_output(str("a"), "another's"));
        QCOMPARE(file->commit().has_value(), replace);
        QCOMPARE(contents("a"), QByteArray(replace ? "ours" : "another's"));
        QVERIFY(QFile::remove(path("a")));
    }
    QCOMPARE(names(), QStringList());
}

void TestOutputFile::a_device_that_came_meanwhile_stays() {
    QVERIFY(write_output(str("a"), "old"));
    auto file = OutputFile::begin(str("a"), {.replace = true});
    QVERIFY(file && file->write("new"));
    QVERIFY(QFile::remove(path("a")));
    QCOMPARE(::mkfifo(str("a").c_str(), 0600), 0);
    QVERIFY(!file->commit());
    struct stat info {};
    QVERIFY(::lstat(str("a").c_str(), &info) == 0 && S_ISFIFO(info.st_mode));
}

void TestOutputFile::a_link_that_came_meanwhile_is_not_followed() {
    QVERIFY(write_output(str("precious"), "old"));
    auto file = OutputFile::begin(str("a"), {.replace = true});
    QVERIFY(file && file->write("new"));
    QVERIFY(QFile::link("precious", path("a")));
    QVERIFY(!file->commit());
    QCOMPARE(contents("precious"), QByteArray("old"));
    QVERIFY(QFileInfo(path("a")).isSymLink());
}

void TestOutputFile::a_directory_that_was_exchanged_gets_nothing() {
    QVERIFY(QDir().mkpath(path("place")) && QDir().mkpath(path("trap")));
    auto file = OutputFile::begin(str("place") + "/a");
    QVERIFY(file && file->write("new"));
    QVERIFY(QDir().rename(path("place"), path("moved")));
    QVERIFY(QFile::link("trap", path("place")));
    QVERIFY(file->commit());
    QCOMPARE(contents("moved/a"), QByteArray("new"));
    QVERIFY(QDir(path("trap")).isEmpty());
}

void TestOutputFile::links_are_followed_as_the_system_does() {
    QVERIFY(QDir().mkpath(path("x/y")));
    QVERIFY(QFile::link("x/y", path("up")));  // up/.. is x
    QVERIFY(write_output(str("up") + "/../a", "1"));
    QCOMPARE(contents("x/a"), QByteArray("1"));
    QVERIFY(QFile::link(path("x/y"), path("absolute")));
    QVERIFY(write_output(str("absolute") + "//./b", "2"));
    QCOMPARE(contents("x/y/b"), QByteArray("2"));
    for (const auto* wrong : {"up", "up/", "x/a/b", "x/a/", "no/where", "up/.", "up/.."})
        QVERIFY2(!write_output(str(wrong), "3", {.replace = true}), wrong);
    QVERIFY(!write_output("", "3") && !write_output("/", "3"));
}

void TestOutputFile::what_was_given_up_leaves_nothing() {
    QVERIFY(write_output(str("a"), "old"));
    {
        auto file = OutputFile::begin(str("a"), {.replace = true});
        QVERIFY(file && file->write("half"));
        const auto moved = std::move(*file);
    }
    QCOMPARE(contents("a"), QByteArray("old"));
    QCOMPARE(names(), QStringList{"a"});
}

void TestOutputFile::removing_takes_files_only() {
    QVERIFY(write_output(str("file"), "1"));
    QVERIFY(QFile::link("file", path("link")));
    QCOMPARE(::mkfifo(str("pipe").c_str(), 0600), 0);
    QVERIFY(QDir().mkpath(path("folder")));
    for (const auto* name : {"link", "pipe", "folder", "nothing"}) remove_output(str(name));
    QCOMPARE(names(), (QStringList{"folder", "link", "pipe"}));
}

void TestOutputFile::a_stream_tells_why_it_ended() {
    auto file = OutputFile::begin(str("a"));
    QVERIFY(file);
    OutputStream bytes(*file);
    std::ostream out(&bytes);
    const std::string text(300'000, 'x');
    out << "begin " << text << " end";
    QVERIFY(bytes.finish() && file->commit());
    QCOMPARE(contents("a").size(), qsizetype{300'010});
    QVERIFY(contents("a").endsWith("x end"));
}

void TestOutputFile::a_cancelled_stream_leaves_nothing() {
    {
        auto file = OutputFile::begin(str("a"));
        QVERIFY(file);
        std::size_t seen = 0;
        OutputStream bytes(*file, [&](std::size_t size) { return (seen += size) < 100'000; });
        std::ostream out(&bytes);
        out << std::string(300'000, 'x');
        QVERIFY(!out);
        QCOMPARE(bytes.finish().error().code, ErrorCode::timeout);
    }
    QCOMPARE(names(), QStringList());
}

QTEST_GUILESS_MAIN(TestOutputFile)
#include "tst_output_file.moc"

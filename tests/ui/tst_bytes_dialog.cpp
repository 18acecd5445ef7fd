// SPDX-License-Identifier: GPL-3.0-or-later
#include <QClipboard>
#include <QLineEdit>
#include <QMenu>
#include <QTableWidget>

#include "fixture.h"
#include "patience.h"
#include "ui/dialogs/bytes_dialog.h"
#include "ui/models/byte_text.h"
#include "ui/models/settings.h"
#include "ui/pages/hex_view.h"
#include "ui/pages/widgets.h"
#include "ui/theme.h"

using namespace snakepit::shm;
using namespace snakepit::shm::ui;

namespace {

constexpr std::uint64_t kSize = std::uint64_t{3} << 20;

struct BytesFixture : Fixture {
    explicit BytesFixture(std::uint64_t size = kSize, bool audited = false) : Fixture(5, 0) {
        region = world.rows().front().info;
        region.size = size;
        region.audit_access = audited;
        std::string bytes(size, '\0');
        for (std::size_t i = 0; i < 256 && i < bytes.size(); ++i) bytes[i] = static_cast<char>(i);
        write(0, bytes);
    }
    void write(std::size_t offset, const std::string& bytes) {
        const std::lock_guard lock(manager->contents_mutex);
        auto& all = manager->contents[region.id];
        if (all.size() < offset + bytes.size()) all.resize(offset + bytes.size());
        all.replace(offset, bytes.size(), bytes);
    }
    bool open() {
        dialog = std::make_unique<BytesDialog>(workspace, region, &window);
        dialog->setAttribute(Qt::WA_DeleteOnClose, false);
        QSignalSpy read(dialog.get(), &BytesDialog::read_done);
        dialog->show();
        return read.wait(60'000) && read.back().front().toBool();
    }
    // The value of a type at the cursor.
    QString value(const QString& type, int column = 1) const {
        const auto* table = dialog->findChild<QTableWidget*>();
        for (int row = 0; row < table->rowCount(); ++row)
            if (table->item(row, 0)->text() == type) return table->item(row, column)->text();
        return {};
    }
    bool search(const QString& what) const {
        QSignalSpy done(dialog.get(), &BytesDialog::search_done);
        dialog->search(what);
        return done.wait(60'000) && done.front().front().toBool();
    }
    QString words() const {
        QString out;
        for (const auto* label : dialog->findChildren<QLabel*>())
            if (label->isVisibleTo(dialog.get())) out += label->text() + u'\n';
        return out;
    }
    QString copied(const char* action) const {
        QGuiApplication::clipboard()->clear();
        for (auto* each : dialog->findChildren<QAction*>())
            if (each->text() == QString::fromUtf8(action)) each->trigger();
        return QTest::qWaitFor([] { return !QGuiApplication::clipboard()->text().isEmpty(); },
                               kPatienceMs)
                   ? QGuiApplication::clipboard()->text()
                   : QString();
    }

    RegionInfo region;
    std::unique_ptr<BytesDialog> dialog;
};

}  // namespace

class TestBytesDialog : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void values_are_shown_in_both_byte_orders() {
        BytesFixture f;
        QVERIFY(f.open());
        f.dialog->view().set_cursor(1);
        QTRY_COMPARE_WITH_TIMEOUT(f.value(QStringLiteral("uint8")), QStringLiteral("1"),
                                  kPatienceMs);
        QCOMPARE(f.value(QStringLiteral("uint16")), QStringLiteral("513"));
        QCOMPARE(f.value(QStringLiteral("uint16"), 2), QStringLiteral("258"));
        QCOMPARE(f.value(QStringLiteral("int32")), QStringLiteral("67305985"));
        QCOMPARE(f.value(QStringLiteral("uint64"), 2), QStringLiteral("72623859790382856"));
        f.dialog->view().set_cursor(0xff);
        QCOMPARE(f.value(QStringLiteral("int8")), QStringLiteral("-1"));
        QCOMPARE(f.value(QStringLiteral("uint8")), QStringLiteral("255"));
        keep(*f.dialog, QStringLiteral("bytes"));
    }

    void what_changes_is_marked_and_the_mark_ends() {
        BytesFixture f;
        QVERIFY(f.open());
        QVERIFY(!f.dialog->view().changed(5));
        f.write(5, "x");
        QTRY_VERIFY_WITH_TIMEOUT(f.dialog->view().changed(5), kPatienceMs);
        QVERIFY(!f.dialog->view().changed(4) && !f.dialog->view().changed(6));
        keep(*f.dialog, QStringLiteral("bytes_changed"));
        QTRY_VERIFY_WITH_TIMEOUT(!f.dialog->view().changed(5), kPatienceMs);
    }

    void an_offset_and_a_search_lead_there() {
        BytesFixture f;
        f.write(kSize - 6, "needle");
        f.write(0x100000 - 3, "across");
        QVERIFY(f.open());
        auto& view = f.dialog->view();
        f.dialog->go_to(QStringLiteral("0x1000"));
        QCOMPARE(view.cursor(), 0x1000U);
        f.dialog->go_to(QStringLiteral("1MiB"));
        QCOMPARE(view.cursor(), 0x100000U);
        QVERIFY(view.first() <= view.cursor() && view.cursor() < view.first() + view.count());
        for (const auto* wrong : {"3MiB", "-1", "", "x"}) {
            f.dialog->go_to(QString::fromUtf8(wrong));
            QCOMPARE(view.cursor(), 0x100000U);
            QVERIFY(f.words().contains(QStringLiteral("Use 0 to 3145727")));
        }
        QVERIFY(f.search(QStringLiteral("needle")));
        QCOMPARE(view.selection(), std::pair(kSize - 6, std::uint64_t{6}));
        // On from there it begins again, and finds what lies across two pieces.
        QVERIFY(f.search(QStringLiteral("across")));
        QCOMPARE(view.cursor(), 0x100000U - 3);
        QVERIFY(f.search(QStringLiteral("0x0a0b0c")));
        QCOMPARE(view.cursor(), 10U);
        QVERIFY(!f.search(QStringLiteral("nowhere at all")));
        QVERIFY(f.words().contains(QStringLiteral("was not found")));
        QCOMPARE(view.cursor(), 10U);
    }

    void the_selection_is_copied_as_text_of_any_kind() {
        BytesFixture f;
        QVERIFY(f.open());
        f.dialog->view().select(0x41, 3);
        QCOMPARE(f.copied("As hexadecimal"), QStringLiteral("41 42 43"));
        QCOMPARE(f.copied("As text"), QStringLiteral("ABC"));
        QCOMPARE(f.copied("As a C array"),
                 QStringLiteral("unsigned char bytes[3] = {\n    0x41, 0x42, 0x43,\n};\n"));
        // All of it is too much for the clipboard.
        f.dialog->view().select(0, kSize);
        for (auto* each : f.dialog->findChildren<QAction*>())
            if (each->text() == QStringLiteral("As text")) each->trigger();
        QVERIFY(f.words().contains(QStringLiteral("snakepit-shm dump")));
    }

    void the_keyboard_reaches_every_byte() {
        BytesFixture f(1000);
        QVERIFY(f.open());
        auto& view = f.dialog->view();
        const auto press = [&](Qt::Key key, Qt::KeyboardModifiers with = Qt::NoModifier) {
            QTest::keyClick(&view, key, with);
            return view.cursor();
        };
        QCOMPARE(press(Qt::Key_Left), 0U);
        QCOMPARE(press(Qt::Key_Right), 1U);
        QCOMPARE(press(Qt::Key_Down), 17U);
        QCOMPARE(press(Qt::Key_End), 31U);
        QCOMPARE(press(Qt::Key_Home), 16U);
        QCOMPARE(press(Qt::Key_End, Qt::ControlModifier), 999U);
        QCOMPARE(press(Qt::Key_Down), 999U);
        QCOMPARE(press(Qt::Key_Up, Qt::ShiftModifier), 983U);
        QCOMPARE(view.selection(), std::pair(std::uint64_t{983}, std::uint64_t{17}));
        QVERIFY(press(Qt::Key_PageUp) < 983U);
        QCOMPARE(press(Qt::Key_Home, Qt::ControlModifier), 0U);
    }

    void what_cannot_be_read_is_told() {
        BytesFixture f;
        {
            const std::lock_guard lock(f.manager->contents_mutex);
            f.manager->contents.clear();
        }
        QVERIFY(!f.open());
        QVERIFY(f.words().contains(QStringLiteral("does not allow")));
        // It is not tried again and again: each try may be recorded.
        QSignalSpy read(f.dialog.get(), &BytesDialog::read_done);
        QTest::qWait(1500);
        QCOMPARE(read.count(), 0);
        f.write(0, std::string(kSize, 'a'));
        f.dialog->set_following(true);
        QTRY_VERIFY_WITH_TIMEOUT(!f.words().contains(QStringLiteral("does not allow")),
                                 kPatienceMs);
    }

    void an_audited_region_is_looked_at_once() {
        BytesFixture f(kSize, true);
        QVERIFY(f.open());
        QVERIFY(f.words().contains(QStringLiteral("every read is recorded")));
        QSignalSpy read(f.dialog.get(), &BytesDialog::read_done);
        QTest::qWait(1500);
        QCOMPARE(read.count(), 0);
        f.dialog->search(QStringLiteral("needle"));
        QVERIFY(!f.words().contains(QStringLiteral("Searching")));
    }

    // As in every dialog, Return presses what has the focus and nothing else.
    void return_in_a_field_does_what_the_field_says() {
        BytesFixture f;
        f.write(2000, "needle");
        QVERIFY(f.open());
        for (auto* line : f.dialog->findChildren<QLineEdit*>()) {
            const bool offset = line->accessibleName() == QStringLiteral("Go to offset");
            line->setText(offset ? QStringLiteral("0x40") : QStringLiteral("needle"));
            line->setFocus();
            QSignalSpy done(f.dialog.get(), &BytesDialog::search_done);
            QTest::keyClick(line, Qt::Key_Return);
            if (!offset) QVERIFY(done.wait(60'000));
            QVERIFY(f.dialog->isVisible());
            QCOMPARE(f.dialog->view().cursor(), offset ? 0x40U : 2000U);
        }
    }

    void a_region_of_many_tebibytes_has_a_last_line() {
        HexView view;
        view.resize(800, 300);
        view.show();
        const auto size = std::uint64_t{64} << 40;
        view.set_size(size);
        view.set_cursor(size - 1);
        QVERIFY(view.first() < size && view.first() + view.count() >= size);
        QCOMPARE(view.cursor(), size - 1);
        view.set_cursor(size / 2);
        QVERIFY(view.first() <= size / 2 && size / 2 < view.first() + view.count());
    }

    void needles_are_text_or_bytes() {
        QCOMPARE(parse_needle(QStringLiteral("abc")), QByteArray("abc"));
        QCOMPARE(parse_needle(QStringLiteral("0x1aff")), QByteArray("\x1a\xff"));
        QCOMPARE(parse_needle(QStringLiteral("1a ff 00")), QByteArray("\x1a\xff\0", 3));
        QCOMPARE(parse_needle(QStringLiteral("1a")), QByteArray("1a"));
        QCOMPARE(parse_needle(QStringLiteral("0x1af")), QByteArray("0x1af"));
    }

    void both_themes_are_painted() {
        for (const auto theme : {ThemeChoice::light, ThemeChoice::dark}) {
            Theme::instance().apply(theme);
            BytesFixture f;
            f.write(0x30, "Snakepit SHM");
            QVERIFY(f.open());
            f.dialog->view().select(0x30, 12);
            keep(*f.dialog, QStringLiteral("bytes_%1").arg(theme_name(theme)));
        }
        Theme::instance().apply(ThemeChoice::light);
    }
};

QTEST_MAIN(TestBytesDialog)
#include "tst_bytes_dialog.moc"

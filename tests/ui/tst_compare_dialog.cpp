// SPDX-License-Identifier: GPL-3.0-or-later
#include <QComboBox>
#include <QLineEdit>
#include <QTemporaryDir>

#include "past_fixture.h"
#include "patience.h"
#include "ui/dialogs/compare_dialog.h"
#include "ui/models/settings.h"
#include "ui/pages/table_view.h"
#include "ui/theme.h"

using namespace snakepit::shm;
using namespace snakepit::shm::ui;

namespace {

RegionRow region(std::uint64_t number, std::uint64_t size, const char* process) {
    RegionRow row;
    row.info.id = {1'700'000'000'000'000 + number, number};
    row.info.size = size;
    row.info.owner_pid = static_cast<std::int64_t>(100 + number);
    row.info.owner_process = process;
    return row;
}

// "morning" and "evening" are bundles; anything else is none.
Result<std::vector<RegionRow>> read_bundle(const std::string& file) {
    const auto stays = region(1, 4096, "producer");
    auto orphan = stays;
    orphan.info.state = RegionState::orphan;
    if (file == "morning") return std::vector{stays, region(2, 8192, "<b>&trainer")};
    if (file == "evening")
        return std::vector{orphan, region(3, 1 << 20, "trainer"), region(4, 1 << 19, "trainer")};
    return fail(ErrorCode::corruption_detected, file + " is not a bundle", "choose another file");
}

struct CompareFixture : PastFixture {
    CompareFixture() : PastFixture(20, read_bundle) {
        QSignalSpy ticks(&workspace, &Workspace::ticked);
        while (ticks.count() < 2) ticks.wait(60'000);
    }
    CompareDialog& open(std::optional<Timestamp> before = {}) {
        dialog = std::make_unique<CompareDialog>(workspace, before, &window);
        dialog->setAttribute(Qt::WA_DeleteOnClose, false);
        dialog->show();
        return *dialog;
    }
    bool compare() {
        QSignalSpy compared(dialog.get(), &CompareDialog::compared);
        dialog->start();
        return compared.wait(60'000) && compared.front().front().toBool();
    }
    TableView& table(const char* name) const {
        for (auto* view : dialog->findChildren<TableView*>())
            if (view->accessibleName() == QString::fromUtf8(name)) return *view;
        qFatal("no table %s", name);
    }
    // The cells of a row, as shown.
    QStringList cells(const char* name, int row) const {
        const auto* model = table(name).model();
        QStringList out;
        for (int i = 0; i < model->columnCount(); ++i)
            out += model->index(row, i).data().toString();
        return out;
    }
    QString words() const {
        QString out;
        for (const auto* label : dialog->findChildren<QLabel*>()) out += label->text() + u'\n';
        return out;
    }

    std::unique_ptr<CompareDialog> dialog;
};

}  // namespace

class TestCompareDialog : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase() { set_remembering(false); }

    void two_bundles_are_compared_as_regions_and_totals() {
        CompareFixture f;
        auto& dialog = f.open();
        dialog.before().choose_file(QStringLiteral("morning"));
        dialog.after().choose_file(QStringLiteral("evening"));
        QVERIFY(f.compare());
        QCOMPARE(f.table("Regions that differ").model()->rowCount(), 4);
        QCOMPARE(f.cells("Regions that differ", 0).first(), QStringLiteral("gone"));
        // Names of programs are text and never markup.
        QCOMPARE(f.cells("Regions that differ", 0)[5], QStringLiteral("<b>&trainer (102)"));
        QCOMPARE(f.cells("Regions that differ", 1),
                 QStringList({QStringLiteral("added"),
                              QString::fromStdString(region(3, 0, "").info.id.str()),
                              {},
                              QStringLiteral("–"),
                              QStringLiteral("1 MiB"),
                              QStringLiteral("trainer (103)"),
                              {}}));
        QVERIFY(f.cells("Regions that differ", 3)[6].contains(QStringLiteral("state: live")));
        QVERIFY(f.words().contains(QStringLiteral(
            "2 regions before and 3 after: 2 added, 1 gone, 0 replaced, 1 changed, 0 unchanged")));
        keep(dialog, QStringLiteral("compare_regions"));
        dialog.show_view(1);
        QCOMPARE(f.cells("Totals", 0),
                 QStringList({QStringLiteral("trainer"), QStringLiteral("0 B"),
                              QStringLiteral("1.5 MiB"), QStringLiteral("+1.5 MiB"),
                              QStringLiteral("2"), QStringLiteral("2"), QStringLiteral("0")}));
        keep(dialog, QStringLiteral("compare_programs"));
    }

    void a_recorded_moment_is_compared_with_now() {
        CompareFixture f;
        auto& dialog = f.open(f.minute(30));
        QVERIFY(f.compare());
        const auto& found = dialog.comparison();
        QCOMPARE(found.after.size(), f.world.rows().size());
        QVERIFY(found.total.gone > 0);
        QVERIFY(f.words().contains(QStringLiteral("snakepit-shm compare ")));
        keep(dialog, QStringLiteral("compare_moment"));
        // The other way round, what is gone was added.
        dialog.after().findChild<QComboBox*>()->setCurrentIndex(1);
        QVERIFY(f.compare());
    }

    void what_cannot_be_read_is_told() {
        CompareFixture f;
        auto& dialog = f.open();
        dialog.before().choose_file(QStringLiteral("morning"));
        QVERIFY(f.compare());
        QVERIFY(f.table("Regions that differ").model()->rowCount() > 0);
        // What is shown belongs to the sides as they were.
        dialog.before().choose_file(QStringLiteral("picture.png"));
        QVERIFY(!f.compare());
        QVERIFY(f.words().contains(QStringLiteral("picture.png is not a bundle")));
        QCOMPARE(f.table("Regions that differ").model()->rowCount(), 0);
        // Nothing was recorded then.
        auto& other = f.open(Timestamp{f.start.micros - 400 * kMinuteMicros});
        QVERIFY(!f.compare());
        QVERIFY(f.words().contains(QStringLiteral("no history of")));
        Q_UNUSED(other);
    }

    void without_a_file_there_is_nothing_to_compare() {
        CompareFixture f;
        auto& dialog = f.open();
        const auto run = [&] {
            for (auto* button : dialog.findChildren<QPushButton*>())
                if (button->text() == QStringLiteral("Compare")) return button;
            return static_cast<QPushButton*>(nullptr);
        };
        QVERIFY(run()->isEnabled());
        dialog.before().choose_file({});
        QVERIFY(!run()->isEnabled());
        QVERIFY(!run()->toolTip().isEmpty());
    }

    void the_window_opens_it_with_the_moment_that_is_shown() {
        CompareFixture f;
        f.travel().go_to(f.minute(20));
        QTRY_VERIFY_WITH_TIMEOUT(f.shows(f.minute(20)), kPatienceMs);
        for (auto* tool : f.window.findChildren<QToolButton*>())
            if (tool->accessibleName() == QStringLiteral("Compare two moments or bundles"))
                tool->click();
        auto* dialog = f.window.findChild<CompareDialog*>();
        QVERIFY(dialog && dialog->isVisible());
        QCOMPARE(dialog->before().moment().micros / kMicrosPerSecond,
                 f.minute(20).micros / kMicrosPerSecond);
        keep(*dialog, QStringLiteral("compare_opened"));
        dialog->close();
    }

    void both_themes_are_painted() {
        for (const auto theme : {ThemeChoice::light, ThemeChoice::dark}) {
            Theme::instance().apply(theme);
            CompareFixture f;
            auto& dialog = f.open();
            dialog.before().choose_file(QStringLiteral("morning"));
            dialog.after().choose_file(QStringLiteral("evening"));
            QVERIFY(f.compare());
            keep(dialog, QStringLiteral("compare_%1").arg(theme_name(theme)));
        }
        Theme::instance().apply(ThemeChoice::light);
    }

    void closing_ends_a_comparison() {
        CompareFixture f;
        f.open(f.minute(10)).start();
        f.dialog.reset();
    }
};

QTEST_MAIN(TestCompareDialog)
#include "tst_compare_dialog.moc"

// SPDX-License-Identifier: GPL-3.0-or-later
// Paging, following and interrupting the list of events.
#include <QAbstractItemModelTester>
#include <QSemaphore>
#include <QSignalSpy>
#include <QTest>

#include "synthetic.h"
#include "ui/models/event_model.h"

namespace snakepit::shm::ui {

namespace {

// Answers only when it is let, so that questions can be overtaken.
class HeldEvents : public SyntheticEvents {
  public:
    using SyntheticEvents::SyntheticEvents;
    Result<std::vector<EventRow>> query(const EventQuery& query) override {
        asked.release();
        answer.acquire();
        return SyntheticEvents::query(query);
    }
    QSemaphore asked, answer;
};

std::vector<std::int64_t> numbers(const EventModel& model) {
    std::vector<std::int64_t> out;
    for (int row = 0; row < model.rowCount(); ++row) out.push_back(model.row(row)->seq);
    return out;
}

std::vector<std::int64_t> countdown(std::int64_t from, std::int64_t to) {
    std::vector<std::int64_t> out;
    for (auto seq = from; seq >= to; --seq) out.push_back(seq);
    return out;
}

}  // namespace

class TestEventModel : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void pages_back_to_the_oldest_row_without_gap_or_repetition() {
        SyntheticWorld world(10);
        EventModel model(std::make_unique<SyntheticEvents>(world, 1234));
        QAbstractItemModelTester tester(&model,
                                        QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_page_size(100);
        model.set_query({}, {});
        QVERIFY(answers.wait());
        QVERIFY(numbers(model) == countdown(1234, 1135));
        while (!model.complete()) {
            model.fetchMore({});  // the tester may have done so already
            QVERIFY(answers.wait());
        }
        QVERIFY(model.complete());
        QVERIFY(numbers(model) == countdown(1234, 1));
    }

    void newer_rows_appear_at_the_top() {
        SyntheticWorld world(10);
        auto source = std::make_unique<SyntheticEvents>(world, 50);
        auto& events = *source;
        EventModel model(std::move(source));
        QAbstractItemModelTester tester(&model,
                                        QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_query({}, {});
        QVERIFY(answers.wait());
        events.grow(7);
        model.refresh();
        QVERIFY(answers.wait());
        QVERIFY(numbers(model) == countdown(57, 1));
    }

    void far_behind_it_starts_again_at_the_newest() {
        SyntheticWorld world(10);
        auto source = std::make_unique<SyntheticEvents>(world, 50);
        auto& events = *source;
        EventModel model(std::move(source));
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_page_size(100);
        model.set_query({}, {});
        QVERIFY(answers.wait());
        events.grow(5000);
        model.refresh();
        QVERIFY(answers.wait());
        QVERIFY(numbers(model) == countdown(5050, 4951));
    }

    void only_the_kind_asked_for_is_listed() {
        SyntheticWorld world(10);
        EventModel model(std::make_unique<SyntheticEvents>(world, 500));
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_query({EventKind::refused}, {});
        QVERIFY(answers.wait());
        QVERIFY(model.rowCount() > 0);
        for (int row = 0; row < model.rowCount(); ++row)
            QCOMPARE(model.row(row)->kind, EventKind::refused);
    }

    void the_end_of_an_id_and_words_are_found() {
        SyntheticWorld world(10);
        EventModel model(std::make_unique<SyntheticEvents>(world, 500));
        QSignalSpy answers(&model, &EventModel::answered);
        const auto id = QString::fromStdString(world.rows().front().info.id.str());
        for (const auto& words : {id, id.right(8), QStringLiteral("Freed ") + id.right(8)}) {
            model.set_query({}, words);
            QVERIFY(answers.wait());
            QVERIFY(model.rowCount() > 0);
            for (int row = 0; row < model.rowCount(); ++row) {
                QCOMPARE(QString::fromStdString(model.row(row)->region_id), id);
                if (words.startsWith(u'F')) QCOMPARE(model.row(row)->kind, EventKind::freed);
            }
        }
    }

    void a_new_question_interrupts_the_old_one_whose_answer_is_dropped() {
        SyntheticWorld world(10);
        auto source = std::make_unique<HeldEvents>(world, 500);
        auto& events = *source;
        EventModel model(std::move(source));
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_query({EventKind::allocated}, {});
        QVERIFY(events.asked.tryAcquire(1, 5000));
        model.set_query({EventKind::freed}, {});
        QVERIFY(events.interrupts() >= 1);
        events.answer.release(2);
        QVERIFY(answers.wait());
        QCOMPARE(answers.count(), 1);
        QVERIFY(model.rowCount() > 0);
        for (int row = 0; row < model.rowCount(); ++row)
            QCOMPARE(model.row(row)->kind, EventKind::freed);
    }

    void a_database_that_cannot_be_read_is_explained() {
        class Broken : public EventSource {
            Result<std::vector<EventRow>> query(const EventQuery&) override {
                return fail(ErrorCode::database_unavailable, "events.db is not a database",
                            "move it away");
            }
            void interrupt() override {}
        };
        EventModel model(std::make_unique<Broken>());
        QSignalSpy answers(&model, &EventModel::answered);
        model.set_query({}, {});
        QVERIFY(answers.wait());
        QVERIFY(model.problem().contains(QStringLiteral("move it away")));
        QCOMPARE(model.rowCount(), 0);
    }
};

}  // namespace snakepit::shm::ui

QTEST_GUILESS_MAIN(snakepit::shm::ui::TestEventModel)
#include "tst_event_model.moc"

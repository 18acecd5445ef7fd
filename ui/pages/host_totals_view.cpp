// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/pages/host_totals_view.h"

#include <QHeaderView>
#include <QTableWidget>
#include <QVBoxLayout>

#include "ui/dialogs/small_table.h"
#include "ui/models/format.h"
#include "ui/pages/choice_row.h"
#include "ui/pages/widgets.h"

namespace snakepit::shm::ui {

namespace {

Cell bytes_cell(double bytes) {
    return number_cell(size_text(static_cast<std::uint64_t>(std::max(bytes, 0.0))));
}

Cell count_cell(double count) {
    return number_cell(count_text(static_cast<std::uint64_t>(std::max(count, 0.0) + 0.5)));
}

}  // namespace

HostTotalsView::HostTotalsView(QWidget* parent)
    : QWidget(parent),
      by_(new ChoiceRow({tr("Programs"), tr("Users"), tr("Groups")})),
      table_(make_table({{tr("Name")},
                         {tr("Memory"), 92},
                         {tr("At most"), 92},
                         {tr("Segments"), 84},
                         {tr("Left over"), 92},
                         {tr("of it memory"), 100}},
                        tr("Shared memory of the host at this moment"))) {
    table_->horizontalHeader()->setStretchLastSection(false);
    table_->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    auto* column = new QVBoxLayout(this);
    column->setContentsMargins(12, 10, 12, 6);
    column->addWidget(by_, 0, Qt::AlignLeft);
    column->addWidget(table_, 1);
    connect(by_, &ChoiceRow::chosen, this, &HostTotalsView::show_kind);
}

void HostTotalsView::show_record(HostRecord record) {
    record_ = std::move(record);
    show_kind();
}

void HostTotalsView::show_kind() {
    const auto& totals = record_.totals.of(kTotalsBy.at(static_cast<std::size_t>(by_->current())));
    table_->setRowCount(static_cast<int>(totals.size()));
    int row = 0;
    for (const auto& total : totals) {
        const auto name = total.name == kOtherNames ? tr("others")
                          : total.name == kNotTold  ? tr("not told")
                                                    : QString::fromStdString(total.name);
        set_row(table_, row++,
                {{name},
                 bytes_cell(total.bytes),
                 bytes_cell(total.most_bytes),
                 count_cell(total.segments),
                 count_cell(total.left_segments),
                 bytes_cell(total.left_bytes)});
    }
}

}  // namespace snakepit::shm::ui

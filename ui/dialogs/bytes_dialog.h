// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ui/dialogs/task_dialog.h"

class QCheckBox;
class QLineEdit;
class QTimer;

namespace snakepit::shm::ui {

class HexView;

// The bytes of a region, live: what changes is marked, the bytes at the cursor are shown as every
// type in both byte orders. Reads only. Of an audited region each look is recorded, so it is not
// followed unless somebody asks for that.
class BytesDialog : public TaskDialog {
    Q_OBJECT
  public:
    BytesDialog(Workspace& workspace, const RegionInfo& region, QWidget* parent);

    HexView& view() { return *view_; }
    void go_to(const QString& offset);  // a number, also 0x…, or a size such as 4KiB
    void search(const QString& what);   // from behind the cursor on, and from the beginning
    void set_following(bool following);

  Q_SIGNALS:
    void read_done(bool done);
    void search_done(bool found);

  private:
    struct Reader;
    struct Search {
        QString what;
        std::string needle;
        std::uint64_t at = 0, end = 0;
        bool again = false;  // from the beginning of the region
        int number = 0;
    };
    void build_tools();
    void build_values();
    void build_copy();
    void look();
    void show_values();
    void search_on();
    void search_ended(std::optional<std::uint64_t> found, const Error* error = nullptr);
    void copy_selection(QString (*format)(const QByteArray&));

    RegionInfo region_;
    std::shared_ptr<Reader> reader_;  // shared with the worker
    HexView* view_;
    QTableWidget* values_;
    QLineEdit *offset_, *needle_;
    QCheckBox* follow_;
    QLabel* place_;
    QPushButton* copy_;
    QTimer *clock_, *soon_;
    bool looking_ = false, look_again_ = false, failed_ = false;
    Search search_;
    int searches_ = 0;
    Background background_;  // last: its thread ends before the rest goes
};

}  // namespace snakepit::shm::ui

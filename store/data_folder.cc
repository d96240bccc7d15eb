#include "store/data_folder.h"

#include <utility>

#include "core/status.h"
#include "core/strings.h"

namespace store {

core::Task<absl::StatusOr<std::unique_ptr<DataFolder>>> DataFolder::Open(std::string directory, ManifestContent manifest, uint32_t log_number,
                                                                         StoreOptions options) {
  std::unique_ptr<DataFolder> folder(new DataFolder);
  CO_ASSIGN_OR_RETURN(folder->meta_, co_await MetaStore::Open(core::StrCat(directory, "/meta-", log_number)));
  options.directory = core::StrCat(directory, "/log-", log_number);
  options.log_number = log_number;
  options.store_id = manifest.store_id;
  options.segment_bytes = manifest.segment_bytes;
  absl::StatusOr<std::unique_ptr<ShardStore>> store = co_await ShardStore::Open(std::move(options), *folder->meta_);
  if (!store.ok()) {
    (void)co_await folder->meta_->Close();
    co_return store.status();
  }
  folder->store_ = std::move(store).value();
  co_return folder;
}

core::Task<absl::Status> DataFolder::Close() {
  const absl::Status store_closed = co_await store_->Close();
  const absl::Status meta_closed = co_await meta_->Close();
  co_return store_closed.ok() ? meta_closed : store_closed;
}

}  // namespace store

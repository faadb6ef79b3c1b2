// SPDX-License-Identifier: GPL-3.0-or-later

/// Programs that make the calls of syzkaller's three tests of iommufd, as reference corpora.md section 5 gives them:
/// 65 calls, all of which must succeed. Written anew: variables have names, and sizes that are as long as their
/// struct are AUTO. The sizes, bindings and forms that section 5.4 calls traps are kept.
public enum SyzPrograms {
  public static let all = [core, hwpt, vfio]

  /// Section 5.1, 37 calls.
  public static let core = """
    rfd = openat$iommufd(0xffffffffffffff9c, &AUTO='/dev/iommu\\x00', 0x0, 0x0)
    ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0})
    ioctl$IOMMU_IOAS_IOVA_RANGES(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO, &AUTO=[{0x0, 0x0}, {0x0, 0x0}], 0x0})

    # The size is eight bytes more than the struct has.

    ioctl$IOMMU_IOAS_ALLOW_IOVAS(rfd, AUTO, &AUTO={0x20, rspace, AUTO, AUTO, &AUTO=[{0x0, 0x1}, {0x3, 0x5}]})
    ioctl$IOMMU_IOAS_MAP(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &AUTO='abcdefghijklmnopqrstuvwxyz01', AUTO, 0x1c})
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_IOAS_MAP(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &AUTO='abcdefghijklmnopqrstuvwxyz01', AUTO, 0x2})
    ioctl$IOMMU_IOAS_UNMAP(rfd, AUTO, &AUTO={AUTO, rspace, 0x2, 0x1c})
    ioctl$IOMMU_IOAS_MAP$PAGES(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &(0x7f0000ffc000/0x1000)=nil, AUTO, 0x0})
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})

    # A copy into another address space, at another offset into its page.

    ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rother=>0x0})
    ioctl$IOMMU_IOAS_MAP(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &AUTO='abcdefghijklmnopqrstuvwxyz01', AUTO, 0x2})
    ioctl$IOMMU_IOAS_COPY(rfd, AUTO, &AUTO={AUTO, 0x7, rother, rspace, 0x1c, 0x3, 0x2})
    ioctl$IOMMU_IOAS_UNMAP(rfd, AUTO, &AUTO={AUTO, rother, 0x3, 0x1c})
    ioctl$IOMMU_DESTROY$ioas(rfd, AUTO, &AUTO={AUTO, rother})
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_OPTION$IOMMU_OPTION_RLIMIT_MODE(rfd, AUTO, &AUTO={AUTO, AUTO, 0x1, AUTO, AUTO, 0x0})
    ioctl$IOMMU_OPTION$IOMMU_OPTION_HUGE_PAGES(rfd, AUTO, &AUTO={AUTO, AUTO, 0x1, AUTO, rspace, 0x0})
    ioctl$IOMMU_IOAS_ALLOW_IOVAS(rfd, AUTO, &AUTO={0x20, rspace, AUTO, AUTO, &AUTO=[]})
    ioctl$IOMMU_TEST_OP_ADD_RESERVED(rfd, AUTO, &AUTO={AUTO, AUTO, rspace, AUTO, 0x1000, 0x2000})

    # The name rother is bound again, to a device.

    ioctl$IOMMU_TEST_OP_MOCK_DOMAIN(rfd, AUTO, &AUTO={AUTO, AUTO, rspace, AUTO, <rmock=>0x0, <rhwpt=>0x0, <rother=>0x0})
    ioctl$IOMMU_IOAS_MAP$PAGES(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &(0x7f0000ffc000/0x1000)=nil, AUTO, 0x1004000})
    ioctl$IOMMU_TEST_OP_MD_CHECK_MAP(rfd, AUTO, &AUTO={AUTO, AUTO, rhwpt, AUTO, 0x1004000, 0x1000, &(0x7f0000ffc000/0x1000)})
    ioctl$IOMMU_TEST_OP_MD_CHECK_REFS(rfd, AUTO, &AUTO={AUTO, AUTO, AUTO, AUTO, 0x1000, &(0x7f0000ffc000/0x1000), 0x1})
    ioctl$IOMMU_IOAS_UNMAP(rfd, AUTO, &AUTO={AUTO, rspace, 0x1000, 0x1004000})
    ioctl$IOMMU_DESTROY$stdev(rfd, AUTO, &AUTO={AUTO, rmock})

    # An access; its first item is number 0, which is a value as any other.

    ioctl$IOMMU_TEST_OP_CREATE_ACCESS(rfd, AUTO, &AUTO={AUTO, AUTO, rspace, AUTO, <rother=>0x0, 0x1})
    ioctl$IOMMU_IOAS_MAP(rfd, AUTO, &AUTO={AUTO, 0x7, rspace, AUTO, &(0x7f00000a0000)='abcdefghijklmnopqrstuvwxyz01', 0x1000, 0x0})
    ioctl$IOMMU_TEST_OP_ACCESS_PAGES(rfd, AUTO, &AUTO={AUTO, AUTO, rother, AUTO, 0x0, <rhwpt=>0x0, 0x0, 0x1000, AUTO})
    ioctl$IOMMU_TEST_OP_ACCESS_RW(rfd, AUTO, &AUTO={AUTO, AUTO, rother, AUTO, 0x0, 0x10, &AUTO='abcdefghijklmnopqrstuvwxyz01', 0x0})
    ioctl$IOMMU_TEST_OP_DESTROY_ACCESS_PAGES(rfd, AUTO, &AUTO={AUTO, AUTO, rother, AUTO, rhwpt})
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    close(rother)
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_TEST_OP_SET_TEMP_MEMORY_LIMIT(rfd, AUTO, &AUTO={AUTO, AUTO, AUTO, AUTO, 0x10})
    ioctl$IOMMU_DESTROY$ioas(rfd, AUTO, &AUTO={AUTO, rspace})
    close(rfd)
    """

  /// Section 5.2, 12 calls.
  public static let hwpt = """
    rfd = openat$iommufd(0xffffffffffffff9c, &AUTO='/dev/iommu\\x00', 0x0, 0x0)
    ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0})
    ioctl$IOMMU_TEST_OP_MOCK_DOMAIN(rfd, AUTO, &AUTO={AUTO, AUTO, rspace, AUTO, <rmock=>0x0, <rhwpt=>0x0, <rdevice=>0x0})

    # A pointer that is not null, of length 0.

    ioctl$IOMMU_HWPT_ALLOC$NONE(rfd, AUTO, &AUTO={AUTO, 0x1, rdevice, rspace, <rhwpt=>0x0, AUTO, AUTO, AUTO, &AUTO=''})
    ioctl$IOMMU_HWPT_ALLOC$TEST(rfd, AUTO, &AUTO={AUTO, 0x0, rdevice, rhwpt, <rnested=>0x0, AUTO, AUTO, AUTO, &AUTO=AUTO})
    ioctl$IOMMU_HWPT_INVALIDATE$TEST(rfd, AUTO, &AUTO={AUTO, rnested, &AUTO=[{0x0, 0x0}], AUTO, AUTO, AUTO, AUTO})
    ioctl$IOMMU_DESTROY$hwpt(rfd, AUTO, &AUTO={AUTO, rnested})
    ioctl$IOMMU_DESTROY$hwpt(rfd, AUTO, &AUTO={AUTO, rhwpt})

    # A size that ends inside a field; the text stands for its length.

    ioctl$IOMMU_GET_HW_INFO(rfd, AUTO, &AUTO={0x24, AUTO, rdevice, AUTO, &AUTO='abcdefghijklmnopqrstuvwxyz01', 0x0, AUTO, 0x0})
    ioctl$IOMMU_DESTROY$stdev(rfd, AUTO, &AUTO={AUTO, rmock})
    ioctl$IOMMU_DESTROY$ioas(rfd, AUTO, &AUTO={AUTO, rspace})
    close(rfd)
    """

  /// Section 5.3, 16 calls.
  public static let vfio = """
    rfd = openat$iommufd(0xffffffffffffff9c, &AUTO='/dev/iommu\\x00', 0x0, 0x0)
    ioctl$IOMMU_IOAS_ALLOC(rfd, AUTO, &AUTO={AUTO, AUTO, <rspace=>0x0})
    ioctl$IOMMU_VFIO_IOAS$SET(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_VFIO_IOAS$GET(rfd, AUTO, &AUTO={AUTO, 0x0, AUTO, AUTO})
    ioctl$IOMMU_VFIO_IOAS$CLEAR(rfd, AUTO, &AUTO={AUTO, AUTO, AUTO, AUTO})
    ioctl$IOMMU_IOAS_ALLOW_IOVAS(rfd, AUTO, &AUTO={0x20, rspace, AUTO, AUTO, &AUTO=[]})
    ioctl$IOMMU_VFIO_IOAS$SET(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_VFIO_GET_API_VERSION(rfd, AUTO)
    ioctl$IOMMU_VFIO_SET_IOMMU(rfd, AUTO, 0x3)
    ioctl$IOMMU_VFIO_CHECK_EXTENSION(rfd, AUTO, 0x9)
    ioctl$IOMMU_VFIO_IOMMU_GET_INFO(rfd, AUTO, &AUTO={0x70, AUTO, 0x0, 0x0, {{0x0, 0x0, 0x0}, 0x0}, {{0x0, 0x0, 0x0}, 0x0, 0x0, [{0x0, 0x0}]}})
    ioctl$IOMMU_VFIO_IOMMU_MAP_DMA(rfd, AUTO, &AUTO={AUTO, 0x0, &AUTO='abcdefghijklmnopqrstuvwxyz01', 0x1c, 0x1c})
    ioctl$IOMMU_VFIO_IOMMU_UNMAP_DMA(rfd, AUTO, &AUTO={AUTO, 0x0, 0x1c, 0x1c, ''})
    ioctl$IOMMU_IOAS_UNMAP$ALL(rfd, AUTO, &AUTO={AUTO, rspace, AUTO, AUTO})
    ioctl$IOMMU_DESTROY$ioas(rfd, AUTO, &AUTO={AUTO, rspace})
    close(rfd)
    """
}

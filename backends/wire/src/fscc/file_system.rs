//! Information about a file system (MS-FSCC 2.5).

use super::{cut_name, fixed};
use crate::codec::{Reader, Writer};
use crate::constants::flags;
use crate::{Error, Filetime, Guid, UnicodeString};

/// FileFsVolumeInformation (MS-FSCC 2.5.9).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileFsVolumeInformation {
    /// VolumeCreationTime.
    pub volume_creation_time: Filetime,
    /// VolumeSerialNumber.
    pub volume_serial_number: u32,
    /// SupportsObjects.
    pub supports_objects: bool,
    /// VolumeLabel.
    pub volume_label: UnicodeString,
}

impl FileFsVolumeInformation {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.filetime(self.volume_creation_time);
        writer.u32(self.volume_serial_number);
        writer.len32(self.volume_label.len());
        writer.u8(self.supports_objects.into());
        writer.u8(0);
        writer.bytes(self.volume_label.as_bytes());
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes for what comes before the label.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("FileFsVolumeInformation", data);
        let volume_creation_time = reader.filetime()?;
        let volume_serial_number = reader.u32()?;
        let length = reader.len32()?;
        let supports_objects = reader.u8()? != 0;
        reader.skip(1)?;
        let volume_label = cut_name(&reader, length);
        Ok(Self {
            volume_creation_time,
            volume_serial_number,
            supports_objects,
            volume_label,
        })
    }
}

fixed! {
    /// FileFsSizeInformation (MS-FSCC 2.5.8).
    FileFsSizeInformation + 0 {
        /// TotalAllocationUnits.
        total_allocation_units: u64,
        /// AvailableAllocationUnits.
        available_allocation_units: u64,
        /// SectorsPerAllocationUnit.
        sectors_per_allocation_unit: u32,
        /// BytesPerSector.
        bytes_per_sector: u32,
    }
}

fixed! {
    /// FileFsDeviceInformation (MS-FSCC 2.5.10).
    FileFsDeviceInformation + 0 {
        /// DeviceType: 7 for a disk, 2 for a CD-ROM.
        device_type: u32,
        /// Characteristics.
        characteristics: u32,
    }
}

fixed! {
    /// FileFsFullSizeInformation (MS-FSCC 2.5.4).
    FileFsFullSizeInformation + 0 {
        /// TotalAllocationUnits.
        total_allocation_units: u64,
        /// CallerAvailableAllocationUnits.
        caller_available_allocation_units: u64,
        /// ActualAvailableAllocationUnits.
        actual_available_allocation_units: u64,
        /// SectorsPerAllocationUnit.
        sectors_per_allocation_unit: u32,
        /// BytesPerSector.
        bytes_per_sector: u32,
    }
}

/// FileFsObjectIdInformation (MS-FSCC 2.5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileFsObjectIdInformation {
    /// ObjectId.
    pub object_id: Guid,
    /// ExtendedInfo.
    pub extended_info: [u8; 48],
}

impl FileFsObjectIdInformation {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.guid(self.object_id);
        writer.bytes(&self.extended_info);
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("FileFsObjectIdInformation", data);
        Ok(Self {
            object_id: reader.guid()?,
            extended_info: reader.array()?,
        })
    }
}

fixed! {
    /// FileFsSectorSizeInformation (MS-FSCC 2.5.7). All sizes and offsets are bytes.
    FileFsSectorSizeInformation + 0 {
        /// LogicalBytesPerSector.
        logical_bytes_per_sector: u32,
        /// PhysicalBytesPerSectorForAtomicity.
        physical_bytes_per_sector_for_atomicity: u32,
        /// PhysicalBytesPerSectorForPerformance.
        physical_bytes_per_sector_for_performance: u32,
        /// FileSystemEffectivePhysicalBytesPerSectorForAtomicity.
        file_system_effective_physical_bytes_per_sector_for_atomicity: u32,
        /// Flags: 1 aligned device, 2 aligned partition, 4 no seek penalty, 8 trim enabled.
        flags: u32,
        /// ByteOffsetForSectorAlignment.
        byte_offset_for_sector_alignment: u32,
        /// ByteOffsetForPartitionAlignment.
        byte_offset_for_partition_alignment: u32,
    }
}

flags! {
    /// FileSystemAttributes (MS-FSCC 2.5.1).
    FileSystemAttributes: u32 {
        /// FILE_CASE_SENSITIVE_SEARCH.
        CASE_SENSITIVE_SEARCH = 0x0000_0001;
        /// FILE_CASE_PRESERVED_NAMES.
        CASE_PRESERVED_NAMES = 0x0000_0002;
        /// FILE_UNICODE_ON_DISK.
        UNICODE_ON_DISK = 0x0000_0004;
        /// FILE_PERSISTENT_ACLS.
        PERSISTENT_ACLS = 0x0000_0008;
        /// FILE_FILE_COMPRESSION.
        FILE_COMPRESSION = 0x0000_0010;
        /// FILE_VOLUME_QUOTAS.
        VOLUME_QUOTAS = 0x0000_0020;
        /// FILE_SUPPORTS_SPARSE_FILES.
        SUPPORTS_SPARSE_FILES = 0x0000_0040;
        /// FILE_SUPPORTS_REPARSE_POINTS.
        SUPPORTS_REPARSE_POINTS = 0x0000_0080;
        /// FILE_SUPPORTS_REMOTE_STORAGE.
        SUPPORTS_REMOTE_STORAGE = 0x0000_0100;
        /// FILE_VOLUME_IS_COMPRESSED.
        VOLUME_IS_COMPRESSED = 0x0000_8000;
        /// FILE_SUPPORTS_OBJECT_IDS.
        SUPPORTS_OBJECT_IDS = 0x0001_0000;
        /// FILE_SUPPORTS_ENCRYPTION.
        SUPPORTS_ENCRYPTION = 0x0002_0000;
        /// FILE_NAMED_STREAMS.
        NAMED_STREAMS = 0x0004_0000;
        /// FILE_READ_ONLY_VOLUME.
        READ_ONLY_VOLUME = 0x0008_0000;
        /// FILE_SEQUENTIAL_WRITE_ONCE.
        SEQUENTIAL_WRITE_ONCE = 0x0010_0000;
        /// FILE_SUPPORTS_TRANSACTIONS.
        SUPPORTS_TRANSACTIONS = 0x0020_0000;
        /// FILE_SUPPORTS_HARD_LINKS.
        SUPPORTS_HARD_LINKS = 0x0040_0000;
        /// FILE_SUPPORTS_EXTENDED_ATTRIBUTES.
        SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000;
        /// FILE_SUPPORTS_OPEN_BY_FILE_ID.
        SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000;
        /// FILE_SUPPORTS_USN_JOURNAL.
        SUPPORTS_USN_JOURNAL = 0x0200_0000;
        /// FILE_SUPPORT_INTEGRITY_STREAMS.
        SUPPORT_INTEGRITY_STREAMS = 0x0400_0000;
        /// FILE_SUPPORTS_BLOCK_REFCOUNTING.
        SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000;
        /// FILE_SUPPORTS_SPARSE_VDL.
        SUPPORTS_SPARSE_VDL = 0x1000_0000;
    }
}

/// FileFsAttributeInformation (MS-FSCC 2.5.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FileFsAttributeInformation {
    /// FileSystemAttributes.
    pub file_system_attributes: FileSystemAttributes,
    /// MaximumComponentNameLength in characters.
    pub maximum_component_name_length: u32,
    /// FileSystemName.
    pub file_system_name: UnicodeString,
}

impl FileFsAttributeInformation {
    /// Appends the structure.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.u32(self.file_system_attributes.bits());
        writer.u32(self.maximum_component_name_length);
        writer.len32(self.file_system_name.len());
        writer.bytes(self.file_system_name.as_bytes());
    }

    /// Reads the structure.
    ///
    /// # Errors
    ///
    /// Too few bytes for what comes before the name.
    pub fn decode(data: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new("FileFsAttributeInformation", data);
        let attributes = FileSystemAttributes::from_bits_retain(reader.u32()?);
        let maximum_component_name_length = reader.u32()?;
        let length = reader.len32()?;
        Ok(Self {
            file_system_attributes: attributes,
            maximum_component_name_length,
            file_system_name: cut_name(&reader, length),
        })
    }
}

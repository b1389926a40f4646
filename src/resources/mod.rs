//! Every kind of resource, one file each, all of one shape ([`resource::Resource`]).

pub mod resource;
